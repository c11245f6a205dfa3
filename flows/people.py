"""Whom an erasure removes: a user of the shop, under every name that the project has for one."""

import hmac
from dataclasses import dataclass

import pyarrow as pa

from flows.ingest import KEY_ID, RAW, SOURCES
from tandem.data import records
from tandem.data.sources import Source
from tandem.errors import SettingsError
from tandem.privacy import pseudonyms
from tandem.privacy.traces import Search
from tandem.settings import Settings


@dataclass(frozen=True)
class Person:
    """A user by the shop's id, which is never written, and by pseudonym under every key at hand."""

    user_id: str
    keys: list[bytes]
    described: list[Source]  # sources with raw files

    @property
    def proof_id(self) -> str:
        """A keyed hash that is no pseudonym: it finds the proof again, and nothing else."""
        return self.proof_ids[0]

    @property
    def proof_ids(self) -> list[str]:
        """The same under every key: a proof may be older than the present one."""
        text = b"\0tandem erasure\0" + self.user_id.encode()
        return [hmac.digest(key, text, "sha256").hex()[:32] for key in self.keys]

    @property
    def pseudonyms(self) -> list[str]:
        """Under every key, in every spelling that a source makes of the id."""
        blocks = [block for source in self.described for found in source.blocks.values() for block in found]
        spelled = [str(records.spelled(pa.array([self.user_id]), block)[0]) for block in blocks if block.user_column]
        return [pseudonyms.of(key, text) for key in self.keys for text in dict.fromkeys([self.user_id, *spelled])]

    def search(self) -> Search:
        """A search for this person."""
        return Search(self.pseudonyms, self.user_id)


def named(user_id: str, settings: Settings) -> Person:
    """The person whom the shop gave this id.

    Raises:
        SettingsError: an empty id, or the key that the data was registered with is not at hand.
    """
    text = user_id.strip()
    if not text:
        raise SettingsError("no user id was given")
    keys = pseudonyms.load_keys(settings)
    if not KEY_ID.exists() or pseudonyms.key_for(keys, KEY_ID.read_text(encoding="utf-8").strip()) is None:
        pseudonyms.registered_key(settings, KEY_ID)  # says what is wrong
    described = [Source.read(path) for path in sorted(SOURCES.glob("*.yaml")) if (RAW / path.stem).is_dir()]
    return Person(text, keys, described)
