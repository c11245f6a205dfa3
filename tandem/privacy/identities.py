"""From a pseudonym back to the shop's own user id: an encrypted map, kept only where `privacy.keep_identities` is on.

`<home>/identities`: a sealed Parquet table of pseudonym and user id, with the id of its key as metadata.
"""

import io
from collections.abc import Iterable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from tandem.errors import SettingsError
from tandem.privacy import vault
from tandem.privacy.vault import VaultError
from tandem.settings import Settings

PURPOSE = "identities"
SCHEMA = pa.schema([("pseudonym", pa.string()), ("user_id", pa.string())])
KEY_ID = b"key_id"


def keep(settings: Settings, key_id: str, chunks: Iterable[tuple[pa.Array, pa.Array]]) -> int:
    """Add users to the map, and return how many it holds; a map made with another key is replaced.

    Args:
        key_id: of the key that made the pseudonyms.
        chunks: (user ids as the shop writes them, their pseudonyms), of equal length; repeats and missing ids may come.

    Raises:
        VaultError: there is no key of the vault, or another than the map was sealed with.
    """
    ready(settings)
    known = _read(settings) if settings.identities.exists() else None
    tables = [known] if known is not None and _key_id(known) == key_id else [SCHEMA.empty_table()]
    for user_ids, pseudonyms in chunks:
        rows = pa.table([pseudonyms.cast(pa.string()), user_ids.cast(pa.string())], schema=SCHEMA)
        tables.append(_distinct(rows.drop_null()))
    table = _distinct(pa.concat_tables(table.replace_schema_metadata(None) for table in tables))
    _write(settings, table.sort_by("pseudonym"), key_id)
    vault.record(settings, "write identities")
    return int(table.num_rows)


def ready(settings: Settings) -> None:
    """Make sure that a map could be kept.

    Raises:
        VaultError: there is no key of the vault.
    """
    if vault.vault_key(settings) is None:
        raise VaultError("`privacy.keep_identities` is on, but TANDEM_VAULT_KEY is not set: no map is kept in the open")


def who(settings: Settings, pseudonym: str) -> str:
    """The shop's own id of the user of this pseudonym; the look-up is recorded.

    Raises:
        SettingsError: there is no map, it cannot be opened, or it does not hold the pseudonym.
    """
    if not settings.identities.exists():
        raise SettingsError(
            f"{settings.identities} does not exist: it is kept where `privacy.keep_identities` was on at ingest"
        )
    table = _read(settings)
    found = table.filter(pc.equal(table["pseudonym"], pseudonym))["user_id"]
    vault.record(settings, "look up an identity", outcome="done" if len(found) else "unknown pseudonym")
    if not len(found):
        raise SettingsError("the map of identities does not hold this pseudonym")
    return str(found[0].as_py())


def forget(settings: Settings, pseudonyms: Iterable[str]) -> int:
    """Remove users from the map, where there is one, and return how many entries went.

    Raises:
        VaultError: the map cannot be opened.
    """
    if not settings.identities.exists():
        return 0
    table = _read(settings)
    left = table.filter(pc.invert(pc.is_in(table["pseudonym"], pa.array(list(pseudonyms), pa.string()))))
    if left.num_rows < table.num_rows:
        _write(settings, left, _key_id(table))
        vault.record(settings, "erase from identities")
    return int(table.num_rows - left.num_rows)


def read(settings: Settings) -> pa.Table:
    """The whole map: columns pseudonym and user_id; the access is recorded."""
    return _read(settings)


def _read(settings: Settings) -> pa.Table:
    content = vault.read(settings, settings.identities, PURPOSE)
    return pq.read_table(io.BytesIO(content))


def _write(settings: Settings, table: pa.Table, key_id: str) -> None:
    ready(settings)
    stream = io.BytesIO()
    pq.write_table(table.replace_schema_metadata({KEY_ID: key_id}), stream, compression="zstd")
    key = vault.vault_key(settings)
    assert key is not None
    vault.write(settings.identities, vault.seal(key, stream.getvalue(), PURPOSE))


def _key_id(table: pa.Table) -> str:
    return (table.schema.metadata or {}).get(KEY_ID, b"").decode()


def _distinct(table: pa.Table) -> pa.Table:
    return table.group_by(["pseudonym", "user_id"]).aggregate([])
