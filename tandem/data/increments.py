"""What a run keeps of a source for the next one, so that an increment costs what its rows and their users cost.

It lies beside the parts: which events others rule out, the facts of all events, the finished events by month, and the
refused rows. Like the parts it is a cache: it is used only while everything else that decides the tables is the same,
and while every part that it was made of is still there.
"""

import hashlib
import json
import shutil
from collections.abc import Sequence
from pathlib import Path

import ibis
import ibis.expr.types as ir
import numpy as np
import pyarrow as pa

from tandem import files
from tandem.data import inferred, months, output, schema, settling
from tandem.data.cleaning import Facts
from tandem.data.engine import Engine
from tandem.data.settling import Before, Settled
from tandem.data.sources import Source
from tandem.params import IngestParams

INDEX, OUT, EVENTS, REFUSED, FRESH = "index.json", "out.parquet", "events", "refused.parquet", "fresh.parquet"
TOLD = "told"
"""A column: what was inferred of an event."""


class Increment:
    """The events of a run beside what an earlier one kept of them.

    Args:
        engine: what computes the tables.
        folder: of its own, beside the parts.
        parts: those of the events; their names say how their rows are read and judged.
        source: whose they are.
        params: what is cleaned, and masked in refused rows.
    """

    def __init__(
        self, engine: Engine, folder: Path, parts: Sequence[Path], source: Source, params: IngestParams
    ) -> None:
        self._engine, self._folder, self._source, self._masked = engine, folder, source, params.privacy.masked
        self._parts = sorted(path.relative_to(folder.parent).as_posix() for path in parts)
        decides = {
            "source": source.model_dump(mode="json"),
            "cleaning": params.cleaning.model_dump(mode="json"),
            "masked": self._masked,
            "writes": [pa.__version__, files.hash_file(Path(files.__file__))],
        }
        self._key = hashlib.sha256(json.dumps(decides, sort_keys=True).encode()).hexdigest()
        self.before = self._read()

    def finish(self, settled: dict[str, Settled]) -> dict[str, Path]:
        """Write the months of events that have news, and the refused rows of all tables.

        Returns:
            The folder of `events` and the file of `refused`; both stay the increment's own.
        """
        (self._folder / INDEX).unlink(missing_ok=True)  # until all of it is of this run
        events, folder, theirs = settled.get("events"), self._folder / EVENTS, None
        if events and self.before:
            theirs = self._theirs(self.before, events)
            self._renew(self.before, events, theirs, folder)
        elif events:
            rows = inferred.with_runs(events.kept(), self._source)
            months.write(output.batches(self._engine, rows, schema.EVENTS, ()), folder, schema.EVENTS)
        self._refuse(settled, theirs)
        if events:
            self._keep(events)
        months.finish(folder, schema.EVENTS)
        return {"events": folder, "refused": self._folder / REFUSED}

    def _read(self) -> Before | None:
        """What was kept, where it is of use; else the folder is emptied."""
        index = self._folder / INDEX
        kept = files.read_json(index) if index.exists() else {}
        known, here = kept.get("parts", []), self._folder.parent
        if kept.get("key") != self._key or not set(known) <= set(self._parts):
            shutil.rmtree(self._folder, ignore_errors=True)
            return None
        old = self._engine.read([here / name for name in known])
        new = [here / name for name in self._parts if name not in known]
        out = self._engine.read([self._folder / OUT])
        return Before(old, self._engine.read(new) if new else old.limit(0), out, Facts(kept["kinds"], kept["most"]))

    def _keep(self, events: Settled) -> None:
        assert events.facts is not None
        partial = self._folder / f"{OUT}.partial"
        self._engine.write(events.out, partial)
        partial.replace(self._folder / OUT)
        files.write_json({"key": self._key, "parts": self._parts, **events.facts._asdict()}, self._folder / INDEX)

    def _theirs(self, before: Before, events: Settled) -> ir.Table:
        """The judged rows that changed; where sessions or orders are inferred, all of their users."""
        assert events.changed is not None
        if inferred.asked(self._source):
            old = settling.owned(before.old).semi_join(events.changed, "owner").drop("owner")
        else:
            old = before.old.semi_join(events.changed.filter(~events.changed.new), "place")
        return self._engine.store(before.new.union(old))

    def _renew(self, before: Before, events: Settled, theirs: ir.Table, folder: Path) -> None:
        """Write the months again of which an event came, went, or is of another session or order."""
        assert events.changed is not None
        then = theirs.anti_join(events.changed.filter(events.changed.new), "place")
        was, now = self._finished(settling.kept(then, before.out)), self._finished(settling.kept(theirs, events.out))
        gone, come = was.anti_join(now, ["place", TOLD]), now.anti_join(was, ["place", TOLD])
        news = np.unique(months.of(gone.union(come).select("time").to_pyarrow()["time"]))
        if not len(news):
            return
        bounds = map(months.bounds, news)
        rows = now.filter(ibis.or_(*((now.microseconds >= low) & (now.microseconds < high) for low, high in bounds)))
        rows = rows.select(output.columns(schema.EVENTS))
        old = [path for month in news if (path := months.path(folder, month)).exists()]
        if old:
            stay = output.origin(self._engine.read(old), "event_id").anti_join(was, ["file", "row"])
            rows = stay.select(rows.columns).union(rows)
        written = months.write(output.batches(self._engine, rows, schema.EVENTS, ()), folder, schema.EVENTS)
        for path in set(old) - written:
            path.unlink()

    def _finished(self, kept: ir.Table) -> ir.Table:
        """The events as they are written, and what was inferred of them."""
        rows = inferred.with_runs(kept, self._source)
        told = rows.session_id.fill_null("") + "\x1f" + rows.order_id.fill_null("")
        columns = output.columns(schema.EVENTS)
        return self._engine.store(rows.mutate(**{TOLD: told}).select("place", "microseconds", TOLD, *columns))

    def _refuse(self, settled: dict[str, Settled], theirs: ir.Table | None) -> None:
        """Write the refused rows: those of events that did not change are taken from the earlier run's."""
        fresh = [of.refused(schema.TABLES[name]) for name, of in settled.items() if name != "events" or theirs is None]
        if theirs is None:
            self._write(ibis.union(*fresh), REFUSED)
            return
        events = settled["events"]
        changed = self._engine.store(theirs.semi_join(events.changed, "place"))
        self._write(ibis.union(*fresh, settling.refused(changed, events.out, schema.EVENTS)), FRESH)
        old = self._engine.read([self._folder / REFUSED])
        stay = old.filter(old.table == "events").anti_join(changed, ["file", "row"])
        rows = stay.union(self._engine.read([self._folder / FRESH]))
        self._write(rows, REFUSED)
        (self._folder / FRESH).unlink()

    def _write(self, refused: ir.Table, name: str) -> None:
        rows = output.batches(self._engine, refused, schema.REFUSED, self._masked)
        files.write_batches(rows, self._folder / name, schema.REFUSED)
