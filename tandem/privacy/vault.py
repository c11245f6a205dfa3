"""What tells who somebody is, kept encrypted: AES-256-GCM under a key from the environment, every access on record.

A sealed file is `MAGIC`, a nonce of 12 bytes, and the ciphertext with its tag. What the file is for is authenticated
with it, so that one sealed file does not pass for another. `<home>/access.log` says who touched what, never an id.
"""

import getpass
import json
import os
import secrets
from datetime import UTC, datetime
from pathlib import Path

from tandem.errors import SettingsError
from tandem.settings import Settings

MAGIC = b"tandem vault 1\n"
KEY_BYTES = 32
NONCE_BYTES = 12
TAG_BYTES = 16


class VaultError(SettingsError):
    """A sealed file cannot be opened: no key, another key, or altered bytes."""


def vault_key(settings: Settings) -> bytes | None:
    """The key of the vault, if the environment has one.

    Raises:
        SettingsError: it is not 64 hex digits. The key itself is never in the message.
    """
    if settings.vault_key is None:
        return None
    return parse_key(settings.vault_key.get_secret_value(), "TANDEM_VAULT_KEY")


def parse_key(text: str, where: str) -> bytes:
    """A key written as 64 hex digits.

    Raises:
        SettingsError: it is not; says how many characters came, and not which.
    """
    digits = text.strip()
    try:
        key = bytes.fromhex(digits)
    except ValueError:
        key = b""
    if len(key) != KEY_BYTES:
        raise SettingsError(f"{where} holds {len(digits)} characters where {2 * KEY_BYTES} hex digits are expected")
    return key


def is_sealed(content: bytes) -> bool:
    """Whether these bytes are a sealed file."""
    return content.startswith(MAGIC)


def seal(key: bytes, content: bytes, purpose: str) -> bytes:
    """The bytes of a sealed file; equal content gives other bytes every time."""
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce = secrets.token_bytes(NONCE_BYTES)
    return MAGIC + nonce + AESGCM(key).encrypt(nonce, content, purpose.encode())


def unseal(key: bytes, sealed: bytes, purpose: str) -> bytes:
    """What `seal` was given.

    Raises:
        VaultError: another key or purpose, or altered bytes.
    """
    from cryptography.exceptions import InvalidTag
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    nonce, encrypted = sealed[len(MAGIC) : len(MAGIC) + NONCE_BYTES], sealed[len(MAGIC) + NONCE_BYTES :]
    if len(encrypted) < TAG_BYTES:
        raise VaultError(f"the sealed {purpose} are cut short")
    try:
        return AESGCM(key).decrypt(nonce, encrypted, purpose.encode())
    except InvalidTag:
        raise VaultError(f"TANDEM_VAULT_KEY does not open the sealed {purpose}, or the file was altered") from None


def read(settings: Settings, path: Path, purpose: str) -> bytes:
    """The content of a sealed file; the access is recorded, and so is a failed one.

    Raises:
        VaultError: there is no key of the vault, or it does not open the file.
        OSError: the file cannot be read.
    """
    sealed = path.read_bytes()
    try:
        key = vault_key(settings)
        if key is None:
            raise VaultError(f"{path} is encrypted: set TANDEM_VAULT_KEY to the key that it was encrypted with")
        content = unseal(key, sealed, purpose)
    except SettingsError:
        record(settings, f"read {purpose}", outcome="failed")
        raise
    record(settings, f"read {purpose}")
    return content


def write(path: Path, content: bytes) -> None:
    """Write bytes for the owner alone (mode 600), all or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}")
    partial.unlink(missing_ok=True)
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def record(settings: Settings, action: str, *, outcome: str = "done") -> None:
    """Append one line to `<home>/access.log`: time (UTC), action, outcome, system user, process.

    Raises:
        SettingsError: it cannot be written: there is no access without a record.
    """
    entry = {"time": datetime.now(UTC).isoformat(timespec="milliseconds"), "action": action, "outcome": outcome}
    entry |= {"user": _system_user(), "pid": str(os.getpid())}
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        descriptor = os.open(settings.access_log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with os.fdopen(descriptor, "ab") as stream:  # one write: lines of several processes do not mix
            stream.write(json.dumps(entry).encode() + b"\n")
    except OSError as error:
        raise SettingsError(f"{settings.access_log} cannot be written ({error.strerror}): no access unseen") from None


def _system_user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a container's user may have no name
        return str(os.getuid())
