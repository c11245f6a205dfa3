"""`tandem explain` as a shop owner reads it."""

import json
from pathlib import Path

import numpy as np
import pytest

from flows.commands.explain import explain
from tandem import files
from tandem.data import schema
from tandem.errors import TandemError

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
        "- /related shows case as no. 2 of 2 complements of phone, with probability 0.80; phone is bought first",
        "- 10 baskets hold both, 3.4 times the 2.9 that chance would give; 10 known customers, "
        "2026-03-01 to 2026-03-10",
        "- both are in electronics",
        "- phone costs 400.00 EUR, 20 times as much as case (20.00)",
        "- withheld, for fewer than 5 known customers stand behind each: 1 of the counts",
    ]


def test_every_number_is_there_as_json(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    explain("phone", "case", as_json=True)
    found = json.loads(capsys.readouterr().out)
    assert (found["a"], found["b"], found["withheld"]) == ("phone", "case", 1)
    assert [statement["about"] for statement in found["statements"]][:2] == ["served", "together: phone, case"]


def test_what_is_missing_is_named(project: Path) -> None:
    Path("data/relations/final/partners.npz").unlink()
    with pytest.raises(TandemError, match=r"partners.npz is missing: `tandem run` or `tandem retrain` makes it"):
        explain("phone", "case")
