"""Raw records on their way to the tables: numbered, trimmed, texts cleaned and masked, users' ids as pseudonyms.

What leaves here holds no user id as the shop writes it.
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tandem.data import exports, texts
from tandem.data.ahead import ahead
from tandem.data.batches import Batch, Export
from tandem.data.blocks import Block, Reviews
from tandem.errors import SourceError
from tandem.params import IngestParams
from tandem.privacy import masking, pseudonyms

BLANK = "".join(filter(str.isspace, map(chr, range(0x3001)))) + "\ufeff"
"""All Unicode white space, no-break and ideographic spaces among it, and the byte-order mark."""

WHOLE = r"^([+-]?\d+)\.0+$"
"""A whole number with a point, such as 17850.0; the first group is what remains of it."""

Keep = Callable[[pa.Array, pa.Array], None]
"""Takes users' ids as the shop writes them and their pseudonyms, of equal length; repeats and missing ones may come."""

PLACE, FILE, ROW, PROBLEM = OWN = "@@place", "@@file", "@@row", "@@problem"
"""Columns beside the raw ones; no raw column that a block may name begins so."""

NOTHING = "@@nothing"
"""The raw column of a file that has none but the user's; always missing."""

ROWS, BYTES = 262_144, 64_000_000
"""Rows, or bytes of them, that are made ready at once."""

AHEAD = 2
"""Times so many rows that are ready before the engine asks for them."""

TIME_LIKE = r"^\s*(\d{4}-\d{1,2}-\d{1,2}|\d{1,2}[./]\d{1,2}[./]\d{2,4})([ T]\d{1,2}:\d{2}.*)?\s*$"
"""How no shop writes its users' ids."""

SWAPPED = "the user's id is written like a time: are columns swapped?"

REMEMBERED = 1_000_000
"""How many pseudonyms are kept at hand, so that a user's is not computed for every batch."""


def schema(columns: Iterable[str]) -> pa.Schema:
    """What `Records` gives for raw columns of these names."""
    raw = pa.struct([pa.field(name, pa.string()) for name in columns or [NOTHING]])
    return pa.schema(
        {
            "place": pa.int64(),
            "file": pa.string(),
            "row": pa.int64(),
            "problem": pa.string(),
            "pseudonym": pa.string(),
            "language": pa.string(),
            "raw": raw,
        }
    )


def before(file: str) -> int:
    """The `place` before that of the file's first row: far enough from every other file's for all its rows."""
    return int.from_bytes(hashlib.blake2b(file.encode(), digest_size=8).digest()) >> 2


def spelled(ids: pa.Array, block: Block) -> pa.Array:
    """Ids of users in one spelling; an empty one is missing."""
    found = pc.utf8_trim(ids, characters=BLANK)
    if "user_id" in block.integers:
        found = pc.replace_substring_regex(found, WHOLE, r"\1")
    if "user_id" in block.upper:
        found = pc.utf8_upper(found)
    return pc.if_else(pc.equal(found, ""), pa.scalar(None, pa.string()), found)


class Pseudonyms:
    """The pseudonyms of users' ids under one key; those made lately are remembered."""

    def __init__(self, key: bytes, keep: Keep | None) -> None:
        self._key, self._keep = key, keep
        self._known: dict[str, str] = {}

    def of(self, ids: pa.Array) -> pa.Array:
        """The pseudonym of each id; a missing one stays missing."""
        met = ids.dictionary_encode()
        people = met.dictionary.to_pylist()
        if len(self._known) > REMEMBERED:
            self._known = {}
        if new := [person for person in people if person not in self._known]:
            made = [pseudonyms.of(self._key, person) for person in new]
            self._known.update(zip(new, made, strict=True))
            if self._keep:
                self._keep(pa.array(new, pa.string()), pa.array(made, pa.string()))
        return pa.array([self._known[person] for person in people], pa.string()).take(met.indices)


class Records:
    """The rows of a block's files, as they are read; `counts` has the rows of each file that is done with.

    Args:
        files: of one block.
        block: how they are read.
        columns: the raw columns of all the files together.
        told: raw columns in which events tell texts of their products.
        params: what is cleaned and masked.
        people: makes the pseudonyms.
    """

    def __init__(
        self,
        files: list[Export],
        block: Block,
        columns: Iterable[str],
        told: Iterable[str],
        params: IngestParams,
        people: Pseudonyms,
    ) -> None:
        self._files, self._block, self._params, self._people = files, block, params, people
        self._texts = {*block.prose, *told}
        self._wanted = list(columns)
        named_by_rules = {name for rule in block.rules for name in (*rule.where, *rule.unless)}
        self.columns = [name for name in self._wanted if name != block.user_column or name in named_by_rules]
        self.schema = schema(self.columns)
        self.counts: dict[str, int] = {}
        self.left_out: dict[str, Counter[str]] = {}  # records that a shape left out, by file and shape
        self.repaired: Counter[str] = Counter()  # cells by what was done to them
        self.stopped: SourceError | None = None  # what ended the reading; the reader's user may wrap it in its own

    def reader(self) -> pa.RecordBatchReader:
        """`place`, `file`, `row` (from 1), `problem`, `pseudonym`, `language`, and `raw`, a struct of texts; once."""
        return pa.RecordBatchReader.from_batches(self.schema, ahead(self._batches(), AHEAD))

    def _batches(self) -> Iterator[pa.RecordBatch]:
        waiting: list[pa.RecordBatch] = []
        for raw in self._raw():
            waiting.append(raw)
            if sum(r.num_rows for r in waiting) >= ROWS or sum(r.nbytes for r in waiting) >= BYTES:
                yield self._record(waiting)
                waiting = []
        if waiting:
            yield self._record(waiting)

    def _raw(self) -> Iterator[pa.RecordBatch]:
        """The rows as they come, of one file after the other: OWN and every raw column."""
        try:
            for export in self._files:
                self.counts[export.name], self.left_out[export.name] = 0, Counter()
                for batch in exports.batches(export, self._block, self.left_out[export.name]):
                    yield self._placed(batch, export.name)
                    self.counts[export.name] += batch.cells.num_rows
        except SourceError as error:
            self.stopped = error
            raise

    def _placed(self, batch: Batch, file: str) -> pa.RecordBatch:
        count, first = batch.cells.num_rows, self.counts[file] + 1
        cells = dict(zip(batch.cells.schema.names, batch.cells.columns, strict=True))
        missing = pa.nulls(count, pa.string())
        return pa.record_batch(
            {
                PLACE: pa.array(np.arange(first, first + count) + before(file)),
                FILE: pa.repeat(pa.scalar(file), count),
                ROW: pa.array(np.arange(first, first + count)),
                PROBLEM: missing if batch.problems is None else batch.problems,
                **{name: cells.get(name, missing) for name in self._wanted},
            }
        )

    def _record(self, waiting: list[pa.RecordBatch]) -> pa.RecordBatch:
        """Rows of one or more files at once: many small batches would cost more than their rows."""
        rows = pa.Table.from_batches(waiting).combine_chunks()
        cells = {name: column.chunk(0) for name, column in zip(rows.column_names, rows.columns, strict=True)}
        missing = pa.nulls(rows.num_rows, pa.string())
        cells = _withheld(cells, self._block.user_column)
        user = cells.get(self._block.user_column or "")
        raw = {name: self._cell(name, cells[name]) for name in self.columns}
        return pa.record_batch(
            [
                *(cells[name] for name in OWN),
                missing if user is None else self._people.of(spelled(user, self._block)),
                self._language(raw, missing),
                pa.StructArray.from_arrays(list(raw.values()) or [missing], fields=list(self.schema.field("raw").type)),
            ],
            schema=self.schema,
        )

    def _cell(self, name: str, cells: pa.Array) -> pa.Array:
        if name not in self._block.named and name not in self._texts:
            return cells
        found = pc.utf8_trim(cells, characters=BLANK)
        if name in self._texts and self._params.cleaning.text.enabled:
            found, counts = texts.clean_texts(found, self._params.cleaning.text.max_characters)
            self.repaired.update(counts)
        if name in self._block.speech and self._params.privacy.masked:  # what was written `a&#64;b.c` is `a@b.c` now
            found, masked = masking.mask(found, self._params.privacy.masked)
            self.repaired.update(masked)
        return found

    def _language(self, raw: dict[str, pa.Array], missing: pa.Array) -> pa.Array:
        """The language of each review, where the shop does not say it."""
        block, how = self._block, self._params.cleaning.language
        text = block.columns.get("text")
        if not isinstance(block, Reviews) or not isinstance(text, str) or "language" in block.columns:
            return missing
        found = texts.languages(raw[text], how.min_han_share if how.enabled else math.inf, block.language)
        self.repaired["language"] += len(found) - found.null_count
        return found


def _withheld(cells: dict[str, pa.Array], user_column: str | None) -> dict[str, pa.Array]:
    """The cells; of a row whose user is written like a time none: the user's id stands where another value should."""
    if user_column is None:
        return cells
    swapped = pc.match_substring_regex(cells[user_column], TIME_LIKE).fill_null(False)
    if not pc.any(swapped).as_py():
        return cells
    known = {name: cells[name] for name in (PLACE, FILE, ROW)}
    problem = pc.coalesce(cells[PROBLEM], pc.if_else(swapped, SWAPPED, None))
    return {name: pc.if_else(swapped, None, column) for name, column in cells.items()} | known | {PROBLEM: problem}
