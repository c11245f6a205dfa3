"""Every fault of `stops` ends the reading with a sentence that names the file and the cause."""

import re
from pathlib import Path

import pytest

from tandem.errors import TandemError

from . import shop
from .stops import STOPS, Stop


@pytest.mark.parametrize("fault", STOPS, ids=lambda fault: fault.name)
def test_the_reading_stops_with_a_sentence(fault: Stop, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(TandemError) as caught, shop.logged() as log:
        shop.make(tmp_path, {fault.file: fault.content, **fault.beside}, fault.change)
    said = str(caught.value)
    assert re.search(fault.says, said), said
    assert str(tmp_path / "raw") in said
    assert "Traceback" not in said
    assert shop.leaks(said + log.getvalue()) == []
    assert not list((tmp_path / "work" / "canonical").glob("*"))
    assert not Path("executed").exists()


def test_each_fault_has_a_name_of_its_own() -> None:
    names = [fault.name for fault in STOPS]
    assert len(set(names)) == len(names) >= 40
