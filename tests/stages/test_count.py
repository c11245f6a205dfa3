import pandas as pd
import pytest

from stages.releasing import code_hash
from tandem import files, release
from tandem.ranking.counting import COUNTING

WINDOWS = {"trials": ("trial", "validation"), "releases": ("final", "test")}


@pytest.mark.parametrize("folder", WINDOWS)
def test_every_counting_ranker_is_there_sealed_and_readable(counted, folder: str) -> None:
    found = {path.name for path in getattr(counted, folder).joinpath("counting").iterdir()}
    assert found == set(COUNTING)
    for name in found:
        ready = release.read(getattr(counted, folder) / "counting" / name, COUNTING)
        assert ready.name == name
        assert len(ready.catalogue) == 16


@pytest.mark.parametrize("folder", WINDOWS)
def test_the_manifest_says_what_it_was_made_from(counted, folder: str) -> None:
    window, cut = WINDOWS[folder]
    manifest = release.read_manifest(getattr(counted, folder) / "counting" / "ease_trend")
    assert manifest["window"] == window
    assert manifest["fit_until"] == files.read_json(counted.splits / "cuts.json")[cut]
    assert manifest["tasks"] == ["recommend"]
    assert (manifest["source"], manifest["key_id"], manifest["data_hash"]) == ("small", "0123abcd", "d" * 64)
    assert manifest["code"] == code_hash()


@pytest.mark.parametrize("name", ["partners.npz", "bundles.npz"])
def test_partners_and_bundles_ship_with_rankers_that_say_what_goes_with_a_product(counted, name: str) -> None:
    made = files.hash_file(counted.relations / "final" / name)
    for path in (counted.releases / "counting").iterdir():
        shipped = path / "state" / name
        assert shipped.exists() == ("related" in release.read_manifest(path)["tasks"])
        assert not shipped.exists() or files.hash_file(shipped) == made
    assert not any(counted.trials.rglob(name))


def test_a_release_makes_the_choices_of_its_trial(counted) -> None:
    for name in ("ease", "ease_trend", "recent_ease", "basket_ease", "itemknn", "weighted_cosine_trend"):
        folders = [getattr(counted, folder) / "counting" / name for folder in WINDOWS]
        trial, final = (release.read(folder, COUNTING).ranker for folder in folders)
        assert trial.choices == final.choices != {}


def test_state_to_serve_reaches_to_the_end_of_the_snapshot(counted) -> None:
    cuts = {name: pd.Timestamp(at) for name, at in files.read_json(counted.splits / "cuts.json").items()}
    reach = {}
    for folder in WINDOWS:
        ready = release.read(getattr(counted, folder) / "counting" / "popular", COUNTING)
        assert ready.histories.as_of_us == ready.demand.as_of_us
        reach[folder] = pd.Timestamp(ready.histories.as_of_us, unit="us", tz="UTC")
        assert pd.Timestamp(ready.histories.time_us.max(), unit="us", tz="UTC") < reach[folder]
    assert reach == {"trials": cuts["validation"], "releases": cuts["end"]}
