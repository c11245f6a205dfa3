"""The key of pseudonyms over time: made anew, encrypted, forgotten.

Reads   data/raw/key_id.txt, data/serving/*/manifest.json
Writes  the key file, data/raw/key_id.txt, <home>/access.log; removes <home>/parts

After `rotate`, the next `tandem retrain` makes every table and release anew under the new key. Until that is deployed,
the service goes on with the retired key, which its release names.
"""

import logging
import shutil
from dataclasses import dataclass
from pathlib import Path

from flows import prepare
from flows.ingest import KEY_ID
from tandem import release
from tandem.errors import SettingsError
from tandem.privacy import pseudonyms

log = logging.getLogger(__name__)

SERVING = Path("data/serving")


@dataclass(frozen=True)
class Status:
    """Which keys there are, by id, and how they are kept."""

    present: str
    retired: list[str]
    registered: str | None  # the key that raw data is tied to
    served: list[str]  # keys of the releases in data/serving
    encrypted: bool
    place: str


def status() -> Status:
    """The state of the keys; says ids, never keys.

    Raises:
        SettingsError: there is no key.
    """
    settings = prepare()
    ids = [pseudonyms.key_id(key) for key in pseudonyms.load_keys(settings)]
    registered = KEY_ID.read_text(encoding="utf-8").strip() if KEY_ID.exists() else None
    place = "TANDEM_PSEUDONYM_KEY" if settings.pseudonym_key else str(settings.key_file)
    return Status(ids[0], ids[1:], registered, served(), pseudonyms.key_file_is_encrypted(settings), place)


def served() -> list[str]:
    """Ids of the keys that the releases in data/serving were made with."""
    found = sorted(SERVING.glob(f"*/{release.MANIFEST}"))
    return sorted({str(release.read_manifest(path.parent)["key_id"]) for path in found})


def rotate() -> str:
    """Make a new key and tie raw data to it; return its id. A rotation that was cut short is finished.

    Raises:
        SettingsError: there is no key, it stands in the environment, or raw data is tied to none of those at hand.
    """
    settings = prepare()
    keys = pseudonyms.load_keys(settings)
    registered = KEY_ID.read_text(encoding="utf-8").strip() if KEY_ID.exists() else pseudonyms.key_id(keys[0])
    if pseudonyms.key_for(keys, registered) is None:
        raise SettingsError(f"{KEY_ID} names pseudonym key {registered}, which is not at hand: it cannot be replaced")
    new = pseudonyms.key_id(keys[0] if registered != pseudonyms.key_id(keys[0]) else pseudonyms.rotate_key(settings))
    shutil.rmtree(settings.home / "parts", ignore_errors=True)
    _register(new)
    log.info("pseudonym key %s instead of %s; `tandem retrain` and `tandem deploy` bring it into use", new, registered)
    return new


def forget() -> int:
    """Remove the retired keys for good; return how many there were.

    Raises:
        SettingsError: a release that is served, or raw data, still needs one of them.
    """
    settings = prepare()
    keys = pseudonyms.load_keys(settings)
    retired = {pseudonyms.key_id(key) for key in keys[1:]}
    needed = {**dict.fromkeys(served(), f"{SERVING}: `tandem retrain` and `tandem deploy` replace it")}
    if KEY_ID.exists():
        needed[KEY_ID.read_text(encoding="utf-8").strip()] = f"{KEY_ID}: `tandem keys rotate` finishes the rotation"
    if still := sorted(retired & set(needed)):
        raise SettingsError(f"retired pseudonym key {still[0]} is still needed by {needed[still[0]]}")
    return pseudonyms.forget_keys(settings)


def encrypt() -> bool:
    """Encrypt the key file with the key of the vault; return whether it was plain.

    Raises:
        SettingsError: there is no key of the vault, or no key file.
    """
    return pseudonyms.encrypt_keys(prepare())


def _register(key_id: str) -> None:
    partial = KEY_ID.with_name(f".{KEY_ID.name}.partial")
    partial.parent.mkdir(parents=True, exist_ok=True)
    partial.write_text(f"{key_id}\n", encoding="ascii")
    partial.replace(KEY_ID)
