"""The demo shop's files: the same bytes every time, the truth apart, pictures that show something."""

import io
import json
import zipfile
from pathlib import Path

import pandas as pd
import pytest
from PIL import Image, ImageColor

from tandem import files
from tandem.demo import DemoSize, generate
from tandem.demo.assortment import COLOURS
from tandem.errors import ParamsError, SourceError

EXPORTS = {
    "events-2026-05.csv",
    "events-2026-06.csv",
    "customers.csv",
    "reviews.jsonl",
    "products.xlsx",
    "pictures.zip",
}
FACTS = {
    "complements.csv", "customers.csv", "dirt.json", "habits.csv", "launches.csv", "products.csv", "seasons.csv",
    "sentiment.csv", "substitutes.csv", "tastes.parquet",
}  # fmt: skip


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(small, tmp_path) -> None:
    generate(tmp_path / "raw", tmp_path / "truth", DemoSize.small(), seed=7)
    assert files.hash_folder(tmp_path / "raw") == files.hash_folder(small.raw)
    assert files.hash_folder(tmp_path / "truth") == files.hash_folder(small.truth)
    generate(tmp_path / "raw", tmp_path / "truth", DemoSize.small(), seed=8)
    assert {p.name for p in small.raw.iterdir()} == {p.name for p in (tmp_path / "raw").iterdir()}
    assert all(files.hash_file(path) != files.hash_file(tmp_path / "raw" / path.name) for path in small.raw.iterdir())


@pytest.mark.parametrize("archive", ["products.xlsx", "pictures.zip"])
def test_no_clock_is_in_an_archive(small, archive) -> None:
    with zipfile.ZipFile(small.raw / archive) as members:
        assert {member.date_time for member in members.infolist()} == {(1980, 1, 1, 0, 0, 0)}
        if archive == "products.xlsx":
            properties = members.read("docProps/core.xml").decode()
            assert properties.count("1980-01-01T00:00:00Z") == properties.count("T00:00:00Z") == 2


def test_the_raw_folder_holds_the_exports_and_nothing_of_the_truth(small) -> None:
    assert {path.name for path in small.raw.iterdir()} == EXPORTS
    assert {path.name for path in small.truth.iterdir()} == FACTS


@pytest.mark.parametrize(("raw", "truth"), [("a", "a"), ("a", "a/truth"), ("a/raw", "a")])
def test_a_truth_that_could_become_an_input_is_refused(tmp_path, raw, truth) -> None:
    with pytest.raises(SourceError, match="must lie apart"):
        generate(tmp_path / raw, tmp_path / truth, DemoSize.small(), seed=7)
    assert not any(tmp_path.iterdir())


def test_exports_of_an_earlier_call_are_replaced_and_other_files_left(tmp_path) -> None:
    (tmp_path / "raw").mkdir()
    for name in ("events-2025-01.csv", "notes.txt"):
        (tmp_path / "raw" / name).write_text("old")
    generate(tmp_path / "raw", tmp_path / "truth", DemoSize.small(), seed=7)
    assert {path.name for path in (tmp_path / "raw").iterdir()} == EXPORTS | {"notes.txt"}


@pytest.mark.parametrize(("name", "value"), [("products", 67), ("customers", 49), ("days", 34), ("future_events", -1)])
def test_a_size_that_cannot_hold_the_truth_is_refused(name, value) -> None:
    with pytest.raises(ParamsError, match=f"{name} = {value}, at least {value + 1} needed"):
        DemoSize(**{name: value})


def test_every_picture_opens_and_shows_the_colour_of_its_product(small) -> None:
    products = small.planted("products").set_index("article")
    colours_of = {name: ImageColor.getrgb(code) for name, (_, code) in COLOURS.items()}
    colours = set(colours_of.values())
    with zipfile.ZipFile(small.raw / "pictures.zip") as archive:
        assert sorted(archive.namelist()) == sorted(f"{article}.png" for article in products.index)
        for name in archive.namelist():
            picture = Image.open(io.BytesIO(archive.read(name)))
            assert (picture.size, picture.mode) == ((48, 48), "RGB")
            shown = {colour: count for count, colour in picture.getcolors() if colour in colours}
            assert list(shown) == [colours_of[products["colour"][Path(name).stem]]]
            assert min(shown.values()) > 50


def test_products_of_one_category_share_a_shape_that_others_of_their_department_lack(small) -> None:
    products = small.planted("products").set_index("article").query("department == 'Electronics'")
    filled = {name: _filled(small.raw / "pictures.zip", f"{name}.png") for name in products.index}
    shares = pd.Series(filled).groupby(products["category"]).agg(["min", "max"]).sort_values("min")
    overlaps = shares["min"].to_numpy()[1:] <= shares["max"].to_numpy()[:-1]
    assert overlaps.sum() <= 3  # eight outlines fill different shares of their boxes; size varies a little


def test_reviews_are_one_json_object_a_line_in_two_languages(small) -> None:
    lines = (small.raw / "reviews.jsonl").read_text(encoding="utf-8").splitlines()
    assert {json.loads(line)["lang"] for line in lines} == {"en", "zh"}
    assert any("非常好用" in line for line in lines)


def _filled(archive: Path, name: str) -> float:
    """Share of the drawn shape's bounding box that is not background."""
    with zipfile.ZipFile(archive) as members:
        picture = Image.open(io.BytesIO(members.read(name)))
    ground = picture.getpixel((0, 0))
    drawn = [(x, y) for x in range(48) for y in range(48) if picture.getpixel((x, y)) != ground]
    width, height = (max(values) - min(values) + 1 for values in zip(*drawn, strict=True))
    return len(drawn) / (width * height)
