"""Users' ids become pseudonyms here: a keyed hash, so that nobody without the key can compute one or try guesses.

The key comes from the environment (`TANDEM_PSEUDONYM_KEY`) or from a local file (`TANDEM_PSEUDONYM_KEY_FILE`), which
is encrypted where there is a `TANDEM_VAULT_KEY`; after a rotation it holds the retired keys too, one a line, the
present one first. A raw user id is never written, logged or put into an error message.
"""

import hmac
import logging
import os
import secrets
from collections.abc import Iterable
from pathlib import Path

from tandem.errors import SettingsError
from tandem.privacy import vault
from tandem.privacy.vault import KEY_BYTES, VaultError, parse_key
from tandem.settings import Settings

log = logging.getLogger(__name__)

PURPOSE = "pseudonym keys"


def load_key(settings: Settings) -> bytes:
    """The pseudonym key, from the environment before the key file.

    Raises:
        SettingsError: there is none, or it is not 64 hex digits. The key itself is never in the message.
        VaultError: the key file is encrypted and cannot be opened.
    """
    return load_keys(settings)[0]


def load_keys(settings: Settings) -> list[bytes]:
    """The pseudonym key, and then the retired ones that the key file still holds, the latest first.

    Raises:
        SettingsError: as `load_key`.
    """
    if settings.pseudonym_key is not None:
        return [parse_key(settings.pseudonym_key.get_secret_value(), "TANDEM_PSEUDONYM_KEY")]
    try:
        lines = _read_file(settings).decode("ascii", errors="replace").strip().split("\n")
    except OSError as error:
        raise SettingsError(
            f"no pseudonym key: TANDEM_PSEUDONYM_KEY is not set and {settings.key_file} cannot be read "
            f"({error.strerror}); `tandem ingest` makes one, or take the one the data was registered with"
        ) from None
    return [parse_key(line, str(settings.key_file)) for line in lines]


def key_for(keys: Iterable[bytes], wanted: str) -> bytes | None:
    """The key of this id among `keys`."""
    return next((key for key in keys if key_id(key) == wanted), None)


def ensure_key(settings: Settings) -> bytes:
    """The pseudonym key; where there is none, a new random one, kept in the key file (mode 600).

    Raises:
        SettingsError: a key is there but is not 64 hex digits, or the file cannot be written.
    """
    if not _has_key(settings):
        _generate(settings)
    return load_key(settings)


def registered_key(settings: Settings, path: Path) -> bytes:
    """The pseudonym key at hand, which must be the one whose id stands in the file `path`.

    Raises:
        SettingsError: no such file, no key, or another key: the same user would get a second pseudonym.
    """
    try:
        registered = path.read_text(encoding="utf-8").strip()
    except OSError:
        raise SettingsError(f"{path} is missing: the raw data was not registered by `tandem ingest`") from None
    key = load_key(settings) if _has_key(settings) else None
    if key is None or key_id(key) != registered:
        raise SettingsError(
            f"{path}: the raw data was registered with pseudonym key {registered}, "
            f"{'there is no key' if key is None else f'the key at hand is {key_id(key)}'}; set TANDEM_PSEUDONYM_KEY "
            f"to the former, or remove {path} and ingest again to start anew with another key"
        )
    return key


def key_id(key: bytes) -> str:
    """Eight hex digits that tell keys apart and say nothing about the key: safe to publish."""
    return hmac.digest(key, b"\0tandem key id", "sha256").hex()[:8]


def of(key: bytes, user_id: str) -> str:
    """The pseudonym of a user: HMAC-SHA256 of the id under `key`, its first 128 bits in hex.

    Source: RFC 2104; keyed, because the few possible ids of a shop are quickly hashed one by one without a key.
    """
    return hmac.digest(key, user_id.encode(), "sha256").hex()[:32]


def rotate_key(settings: Settings) -> bytes:
    """Make a new pseudonym key, which the key file names first; the present one stays behind it, retired.

    Raises:
        SettingsError: the key stands in the environment, where nobody but its owner can change it.
    """
    if settings.pseudonym_key is not None:
        raise SettingsError(
            "the pseudonym key stands in TANDEM_PSEUDONYM_KEY: put it into a key file (64 hex digits, mode 600) and "
            "unset the variable; then it can be rotated"
        )
    keys = [secrets.token_bytes(KEY_BYTES), *load_keys(settings)]
    _write_file(settings, keys)
    vault.record(settings, "rotate pseudonym key")
    return keys[0]


def forget_keys(settings: Settings) -> int:
    """Remove the retired keys from the key file, and return how many there were."""
    keys = load_keys(settings)
    if len(keys) > 1:
        _write_file(settings, keys[:1])
        vault.record(settings, "forget retired pseudonym keys")
    return len(keys) - 1


def encrypt_keys(settings: Settings) -> bool:
    """Encrypt a plain key file in place, and return whether it was plain.

    Raises:
        VaultError: there is no key of the vault.
        SettingsError: there is no key file.
    """
    if vault.vault_key(settings) is None:
        raise VaultError(
            "TANDEM_VAULT_KEY is not set; make one: python -c 'import secrets; print(secrets.token_hex(32))'"
        )
    if key_file_is_encrypted(settings):
        return False
    _write_file(settings, load_keys(settings.model_copy(update={"pseudonym_key": None})))
    vault.record(settings, "encrypt pseudonym keys")
    return True


def key_file_is_encrypted(settings: Settings) -> bool:
    """Whether the key file is there and encrypted."""
    return settings.key_file.exists() and vault.is_sealed(settings.key_file.read_bytes())


def _has_key(settings: Settings) -> bool:
    return settings.pseudonym_key is not None or settings.key_file.exists()


def _read_file(settings: Settings) -> bytes:
    content = settings.key_file.read_bytes()
    return vault.read(settings, settings.key_file, PURPOSE) if vault.is_sealed(content) else content


def _write_file(settings: Settings, keys: Iterable[bytes]) -> None:
    try:
        vault.write(settings.key_file, _content(settings, keys))
    except OSError as error:
        raise SettingsError(f"cannot write a pseudonym key to {settings.key_file}: {error.strerror}") from None


def _content(settings: Settings, keys: Iterable[bytes]) -> bytes:
    """What the key file holds: encrypted where there is a key of the vault, else plain, with a WARNING."""
    content = "".join(f"{key.hex()}\n" for key in keys).encode()
    secret = vault.vault_key(settings)
    if secret is None:
        log.warning(
            "%s is not encrypted: TANDEM_VAULT_KEY is not set (`tandem keys encrypt` makes up for it)",
            settings.key_file,
        )
        return content
    return vault.seal(secret, content, PURPOSE)


def _generate(settings: Settings) -> None:
    """Write a new key, complete or not at all; a key that another process wrote first is left alone."""
    path = settings.key_file
    partial = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        vault.write(partial, _content(settings, [secrets.token_bytes(KEY_BYTES)]))
        os.link(partial, path)
        log.info("wrote a new pseudonym key to %s; without it pseudonyms cannot be continued: keep it safe", path)
    except FileExistsError:
        log.info("%s was written by another process; using it", path)
    except OSError as error:
        raise SettingsError(f"cannot write a pseudonym key to {path}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
