"""params.yaml is read strictly, and errors say what came, what fits and where to look."""

from pathlib import Path

import pytest

from tandem.errors import ParamsError
from tandem.params import SplitParams, read_source


def write(folder: Path, text: str) -> Path:
    path = folder / "params.yaml"
    path.write_text(text)
    return path


def test_a_section_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "source: demo\nsplit: {validation_days: 2, test_days: 3}\n")
    assert SplitParams.read(path) == SplitParams(validation_days=2, test_days=3)
    assert read_source(path) == "demo"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "split: {test_day: 3, validation_days: 2, test_days: 3}",
            r"`split.test_day` = 3: .*Known keys: validation_days",
        ),
        ("split: {test_days: 3}", r"`split.validation_days`: Field required"),
        ("split: {validation_days: 0, test_days: 3}", r"`split.validation_days` = 0: .*greater than 0"),
        ("source: demo", "section `split` is missing"),
        ("[1, 2]", "must be a mapping of sections, found list"),
        ("a: [", "is not YAML"),
    ],
)
def test_a_bad_section_is_one_clear_sentence(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(ParamsError, match=message):
        SplitParams.read(write(tmp_path, text))


def test_a_missing_file_says_where_to_run(tmp_path: Path) -> None:
    with pytest.raises(ParamsError, match="run from the folder that holds it"):
        SplitParams.read(tmp_path / "params.yaml")
