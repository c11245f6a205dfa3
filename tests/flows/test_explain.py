"""`tandem explain` as a shop owner reads it."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from flows.commands.explain import explain
from tandem import files, release
from tandem.data import schema
from tandem.errors import TandemError
from tandem.features.bundles import Bundles
from tandem.params import CountingParams
from tandem.ranking.counting import COUNTING

from ..phones import known, partners, sheet


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, root: Path) -> Path:
    """What `tandem explain` reads, without an association network."""
    monkeypatch.chdir(tmp_path)
    data, folder = known(), Path("data")
    unknown = np.full((data.vocabulary.size, 1), np.nan, np.float32)
    data.write(folder / "features" / "final")
    files.write_arrays(folder / "vectors" / "final.npz", text=unknown, picture=unknown)
    files.write(sheet(), folder / "snapshot" / "products.parquet", schema.PRODUCTS)
    files.write_json({"data_hash": "day 2"}, folder / "snapshot" / "manifest.json")
    partners(data).write(folder / "relations" / "final" / "partners.npz")
    Path("params.yaml").write_text((root / "params.yaml").read_text(encoding="utf-8"), encoding="utf-8")
    return tmp_path


def test_what_is_printed_is_served_counted_shared_and_withheld(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    explain("phone", "case")
    assert capsys.readouterr().out.splitlines() == [
        "phone  (no title)",
        "case  (no title)",
        "- nothing is deployed: what /related would show is told by the last run",
        "- /related shows case as a complement of phone, in place 2 of 2; probability 80%; phone is bought first",
        "- 10 baskets hold both, 3.4 times as many as by chance (2.9); 10 known customers, 2026-03-01 to 2026-03-10",
        "- both are in electronics",
        "- phone costs 400.00 EUR, 20 times as much as case (20.00)",
        "- counts not shown, for fewer than 5 known customers stand behind each: 1",
    ]


@pytest.mark.parametrize("made_of", ["day 1", "day 2"])
def test_what_is_deployed_is_told_and_not_what_the_last_run_found(
    project: Path, root: Path, capsys: pytest.CaptureFixture[str], made_of: str
) -> None:
    data = known()
    served = replace(partners(data), probability=np.array([0.7, 0.6, np.nan], np.float32))
    ranker = COUNTING["co_count"](CountingParams.read(root / "params.yaml")).fit(data)
    facts = {"kind": "co_count", "tasks": ["related"], "data_hash": made_of, "min_users": 5}
    folder = Path("data/serving/related")
    goes_with = served, Bundles.none()
    content = release.write(folder, ranker, data.vocabulary, sheet(), (data.histories, data.demand), facts, goes_with)
    explain("phone", "case")
    said = capsys.readouterr().out.splitlines()
    other = "; it was made of other data (day 1) than what is counted below (day 2)" if made_of == "day 1" else ""
    assert said[2] == f"- /related answers from co_count {content[:12]}, which is deployed{other}"
    assert said[3].endswith("in place 2 of 2; probability 60%; phone is bought first")


def test_every_number_is_there_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain("phone", "case", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["a"], found["b"], found["withheld"]) == ("phone", "case", 1)
    assert [statement["about"] for statement in found["statements"]][:3] == [
        *("release", "served"),
        "together: phone, case",
    ]


def test_what_is_missing_is_named(project: Path) -> None:
    Path("data/relations/final/partners.npz").unlink()
    with pytest.raises(TandemError, match=r"partners.npz is missing: `tandem run` or `tandem retrain` makes it"):
        explain("phone", "case")
