"""Users' ids become pseudonyms here: a keyed hash, so that nobody without the key can compute one or try guesses.

The key comes from the environment (`TANDEM_PSEUDONYM_KEY`) or from a local file (`TANDEM_PSEUDONYM_KEY_FILE`).
A raw user id is never written, logged or put into an error message.
"""

import hmac
import logging
import os
import secrets
from pathlib import Path

import pandas as pd

from tandem.errors import SettingsError
from tandem.settings import Settings

log = logging.getLogger(__name__)

KEY_BYTES = 32


def load_key(settings: Settings) -> bytes:
    """The pseudonym key, from the environment before the key file.

    Raises:
        SettingsError: there is none, or it is not 64 hex digits. The key itself is never in the message.
    """
    if settings.pseudonym_key is not None:
        return _parse(settings.pseudonym_key.get_secret_value(), "TANDEM_PSEUDONYM_KEY")
    try:
        return _parse(settings.key_file.read_text(encoding="ascii", errors="replace"), str(settings.key_file))
    except OSError as error:
        raise SettingsError(
            f"no pseudonym key: TANDEM_PSEUDONYM_KEY is not set and {settings.key_file} cannot be read "
            f"({error.strerror}); `tandem ingest` makes one, or take the one the data was registered with"
        ) from None


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


def pseudonym(key: bytes, user_id: str) -> str:
    """HMAC-SHA256 of the user's id under `key`, its first 128 bits in hex.

    Source: RFC 2104; keyed, because the few possible ids of a shop are quickly hashed one by one without a key.
    """
    return hmac.digest(key, user_id.encode(), "sha256").hex()[:32]


def pseudonyms(key: bytes, user_ids: pd.Series) -> pd.Series:
    """`pseudonym` of each id; a missing id stays missing."""
    known = {user_id: pseudonym(key, user_id) for user_id in user_ids.dropna().unique()}
    return user_ids.map(known)


def _has_key(settings: Settings) -> bool:
    return settings.pseudonym_key is not None or settings.key_file.exists()


def _parse(text: str, where: str) -> bytes:
    digits = text.strip()
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{where} holds {len(digits)} characters where {2 * KEY_BYTES} hex digits are expected")
    return key


def _generate(settings: Settings) -> None:
    """Write a new key, complete or not at all; a key that another process wrote first is left alone."""
    path = settings.key_file
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.touch(mode=0o600, exist_ok=False)
        partial.write_text(secrets.token_hex(KEY_BYTES) + "\n", encoding="ascii")
        os.link(partial, path)
        log.info("wrote a new pseudonym key to %s; without it pseudonyms cannot be continued: keep it safe", path)
    except FileExistsError:
        log.info("%s was written by another process; using it", path)
    except OSError as error:
        raise SettingsError(f"cannot write a pseudonym key to {path}: {error.strerror}") from None
    finally:
        partial.unlink(missing_ok=True)
