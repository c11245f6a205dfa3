"""A preset carried through `ingest` and `validate`, with the values that it recommends in params.yaml."""

import contextlib
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import yaml

from stages import ingest, validate
from tandem import files
from tandem.data import schema
from tandem.data.sources import Source
from tandem.errors import SnapshotRefused
from tandem.privacy import pseudonyms

KEY = "5a" * 32


@dataclass(frozen=True)
class Taken:
    """What became of the raw files of one source."""

    folder: Path

    @property
    def report(self) -> dict[str, Any]:
        """The account of every raw row."""
        return files.read_json(self.folder / "ingest.json")

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Of each table with raw rows: `rows`, `kept`, and how many each reason took out."""
        counts = {}
        for name, total in self.report["totals"].items():
            if total["rows"]:
                lost = {"duplicates": total["duplicates"], **total["rules"]}
                found = {reason: count for reason, count in lost.items() if count}
                counts[name] = {"rows": total["rows"], "kept": total["kept"], **found}
        return counts

    def table(self, name: str) -> pd.DataFrame:
        """A canonical table."""
        return files.read(self.folder / "canonical" / f"{name}.parquet", schema.TABLES[name])

    def user(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """The values of some columns of the events of a user, in the order of the table."""
        events = self.table("events")
        theirs = events[events["user_id"] == pseudonyms.of(bytes.fromhex(KEY), name)]
        return list(theirs[list(columns)].itertuples(index=False, name=None))

    def judge(self) -> dict[str, Any]:
        """The verdict on the tables, be it a refusal."""
        with contextlib.suppress(SnapshotRefused):
            self.validate()
        return files.read_json(self.folder / "validation.json")

    def validate(self) -> dict[str, Any]:
        """The verdict on the tables; raises unless they become a snapshot."""
        here = {name: self.folder / name for name in ("canonical", "accepted", "snapshot", "docs")}
        with pytest.MonkeyPatch.context() as patch:
            patch.chdir(self.folder)
            validate.main(
                **here,
                now=self.folder / "as_of.txt",
                ingest=self.folder / "ingest.json",
                report=self.folder / "validation.json",
            )
        return files.read_json(self.folder / "validation.json")


Take = Callable[[str, Path], Taken]


@pytest.fixture(scope="session")
def take(tmp_path_factory: pytest.TempPathFactory, root: Path) -> Iterator[Take]:
    """Take a folder of raw files in by a preset: `take("groceries", folder)`; once for each folder."""
    done: dict[tuple[str, Path], Taken] = {}

    def taken(name: str, raw: Path) -> Taken:
        if (name, raw) not in done:
            folder = tmp_path_factory.mktemp(name)
            done[name, raw] = _take(root, name, raw, folder)
        return done[name, raw]

    yield taken
    for made in done.values():
        shutil.rmtree(made.folder)


def _take(root: Path, name: str, raw: Path, folder: Path) -> Taken:
    source, params = root / "sources" / f"{name}.yaml", yaml.safe_load((root / "params.yaml").read_text("utf-8"))
    _merge(params, Source.read(source).params)
    (folder / "params.yaml").write_text(yaml.safe_dump(params), "utf-8")
    (folder / "key_id.txt").write_text(pseudonyms.key_id(bytes.fromhex(KEY)) + "\n", "ascii")
    (folder / "as_of.txt").write_text(datetime.now(UTC).isoformat(), "ascii")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("TANDEM_PSEUDONYM_KEY", KEY)
        patch.setenv("TANDEM_HOME", str(folder / "home"))
        ingest.main(
            raw=raw,
            source=source,
            key_id=folder / "key_id.txt",
            tables=folder / "canonical",
            report=folder / "ingest.json",
        )
    return Taken(folder)


def _merge(values: dict[str, Any], recommended: Mapping[str, Any]) -> None:
    """What `tandem ingest` does with the values that a source recommends; every key must be there."""
    for key, value in recommended.items():
        assert key in values, f"{key} is no key of params.yaml"
        if isinstance(value, Mapping):
            _merge(values[key], value)
        else:
            values[key] = value
