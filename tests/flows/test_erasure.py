"""A person is taken out of a trained project; the same search that finds them before finds nothing afterwards."""

import csv
import json
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from flows import deploy, erasure, prepare, versions
from flows.deploy import Deployment
from flows.promote import best_of
from flows.registry import Record, Registry, Version
from models.rankers import RANKERS
from tandem import demo, files, release
from tandem.errors import ReleaseError, SettingsError
from tandem.privacy import identities, pseudonyms
from tandem.privacy.traces import Search
from tandem.settings import Settings

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

RAW = Path("data/raw/demo")
LATE = "events-2025-12.csv"
BENTO = Path(".tandem/bentoml/bentos/tandem/abc/src/data/serving/related")
HELD_BY = ("canonical", "snapshot", "features", "parts", "serving", "cache", "dvc", "mlartifacts", "bentoml", "truth")


def tandem(*arguments: str, said: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "flows.cli", *arguments]
    done = subprocess.run(command, input=said, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout[-5000:]
    return done


def rows() -> list[dict[str, str]]:
    """Every row of the raw CSV files."""
    texts = [path.read_text(encoding="utf-8") for path in sorted(RAW.glob("*.csv"))]
    return [row for text in texts for row in csv.DictReader(text.splitlines())]


def holders(pseudonym: str, user: str) -> list[Path]:
    """Every file of the project, whatever it is, that holds the person."""
    search = Search([pseudonym], user)
    everything = [path for path in Path().rglob("*") if path.is_file() and not path.is_symlink()]
    return [path for path in everything if search.in_file(path)]


@pytest.fixture
def trained(project: Path) -> str:
    """A project with releases, a registry, a deployment, a remote and an old version of raw data; whom to erase."""
    demo.generate(project.parent / "export", project.parent / "truth", demo.DemoSize.small(), seed=7)
    tandem("ingest", "--source", "demo", "--raw", str(project.parent / "export"))
    customers = [row for row in rows() if "AgeBand" in row]
    user = customers[20]["CustomerNo"]
    events = (RAW / "events-2026-05.csv").read_text().splitlines()
    (RAW / LATE).write_text("\n".join([events[0], *(line for line in events if f",{user}," in line)]) + "\n")
    versions.add(RAW)
    (RAW / LATE).unlink()
    versions.add(RAW)
    versions.repro("count")
    made = Path("data/releases/counting/co_count")
    registry = Registry(prepare())
    registered = {task: registry.register(task, made, Record()) for task in ("related",)}
    registry.point("champion", registered["related"])
    for folder in (Path("data/serving/related"), BENTO):
        shutil.copytree(made, folder)
    deploy.record(Settings(), [Deployment("tandem:abc", {"related": registered["related"].facts()}, "2026-01-01")])
    Path("data/truth/demo/customers.txt").write_text(pseudonyms.of(pseudonyms.load_key(Settings()), user))
    versions.push(Settings())
    return user


def test_a_person_is_gone_from_everywhere_and_others_stay(trained: str, monkeypatch) -> None:
    settings = prepare()
    pseudonym = pseudonyms.of(pseudonyms.load_key(settings), trained)
    before = rows()
    found = holders(pseudonym, trained)
    assert [place for place in HELD_BY if not any(place in path.parts for path in found)] == []  # the control

    def cut_short(*_: object) -> int:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(erasure, "_from_stores", cut_short)
        with pytest.raises(KeyboardInterrupt):
            erasure.erase(trained, rebuild=False)
    assert not Path("reports/erasure").exists()
    assert any("cache" in path.parts for path in holders(pseudonym, trained))

    said = tandem("erase", said=f"{trained}\n").stdout
    assert "no trace is left" in said
    assert holders(pseudonym, trained) == []
    assert rows() == [row for row in before if row["CustomerNo"].removesuffix(".0") != trained]
    assert (Path("data/snapshot") / "events.parquet").exists()
    assert [path.name for path in Path(".tandem/erasure").iterdir()] == ["rewritten.json"]
    versioned = RAW.with_name("demo.dvc").read_bytes()
    tandem("ingest", "--source", "demo", "--raw", str(Path("../export").resolve()))  # the shop has them as they were
    assert RAW.with_name("demo.dvc").read_bytes() == versioned

    (proof,) = Path("reports/erasure").iterdir()
    text = proof.read_text()
    assert json.loads(text)["found"] == 0
    assert json.loads(text)["searched"]["files"]["Parquet"] > 10
    for written in (text, said, settings.access_log.read_text()):
        assert pseudonym not in written
        assert not re.search(rf"\b{trained}\b", written)

    champion = Registry(settings).named("related", "champion")
    assert champion is not None
    assert champion.needs_retraining == "erasure"
    for folder in (Path("data/serving/related"), BENTO):
        served = release.read(folder, RANKERS)  # its seal holds
        assert served.content_hash == champion.content_hash
        assert served.manifest["erased"] == 1
    (deployed,) = deploy.history(settings)
    assert deployed.releases["related"]["content_hash"] == champion.content_hash
    Registry(settings).download(champion, Path("again"))

    objects = {path.name for path in Path(".dvc/cache/files/md5").rglob("*") if path.is_file()}
    assert (RAW.with_name("demo.dvc")).exists()
    assert len(objects) > 5
    versions.repro("count")  # the project goes on
    assert holders(pseudonym, trained) == []


def test_somebody_unknown_gets_a_proof_that_says_so_and_changes_nothing(project: Path) -> None:
    demo.generate(project.parent / "export", project.parent / "truth", demo.DemoSize.small(), seed=7)
    tandem("ingest", "--source", "demo", "--raw", str(project.parent / "export"))
    before = files.hash_folder(RAW)
    assert "none was there before either" in tandem("erase", "99999").stdout
    assert files.hash_folder(RAW) == before


def test_there_is_no_proof_while_a_trace_is_left(project: Path, monkeypatch) -> None:
    demo.generate(project.parent / "export", project.parent / "truth", demo.DemoSize.small(), seed=7)
    tandem("ingest", "--source", "demo", "--raw", str(project.parent / "export"))
    pseudonym = pseudonyms.of(pseudonyms.load_key(Settings()), "10001")
    (RAW / "notes.txt").write_text(f"no source reads this: {pseudonym}")
    with pytest.raises(erasure.ErasureError, match=r"notes\.txt holds the person, and no source says how to read it"):
        erasure.erase("10001", rebuild=False)
    assert not Path("reports/erasure").exists()
    (RAW / "notes.txt").unlink()
    monkeypatch.setenv("TANDEM_VAULT_KEY", "ab" * 32)
    settings = prepare()
    people = (pseudonym, pseudonyms.of(pseudonyms.load_key(settings), "10002"))
    identities.keep(settings, "k", [(pa.array(["10001", "10002"]), pa.array(people))])
    done = erasure.erase("10001", rebuild=False)
    assert files.read_json(done.proof)["removed"]["identities"] == 1
    assert identities.read(settings)["user_id"].to_pylist() == ["10002"]


def test_a_champion_that_learned_from_somebody_erased_gives_way() -> None:
    decision = {"content_hash": "new", "promote": True, "champion": None}
    current = Version("related", 1, "ease", "old", "demo", needs_retraining="erasure")
    assert best_of(decision, current, "demo")[0] == "new"
    assert best_of(decision, replace(current, needs_retraining=""), "demo")[0] is None


def test_a_release_lets_a_user_go_and_a_call_that_was_cut_short_is_finished(repository: Path, make_release) -> None:
    before = make_release(Path("release"), "a", "b")
    assert not release.forget(Path("release"), ["somebody else"])
    assert release.read_manifest(Path("release"))["content_hash"] == before
    histories = release.read(Path("release"), RANKERS).histories
    histories.take(np.arange(0)).write(Path("release/state/histories.npz"))  # as far as a killed call came
    with pytest.raises(ReleaseError, match="was altered"):
        release.read(Path("release"), RANKERS)
    assert release.forget(Path("release"), ["u"])
    assert not release.forget(Path("release"), ["u"])
    left = release.read(Path("release"), RANKERS)
    assert (len(left.histories), left.manifest["users"], left.manifest["erased"]) == (0, 0, 1)
    assert left.content_hash != before


def test_without_an_id_nothing_begins(repository: Path) -> None:
    with pytest.raises(SettingsError, match="no user id was given"):
        erasure.erase("  ")
