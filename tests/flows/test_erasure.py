"""A person is taken out of a trained project; the same search that finds them before finds nothing afterwards."""

import csv
import io
import json
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import boto3
import httpx
import numpy as np
import pyarrow as pa
import pytest

from flows import deploy, erasure, objects, places, prepare, proof, snapshots, versions
from flows.deploy import Deployment
from flows.promote import best_of
from flows.registry import Record, Registry, Version
from flows.versions import PipelineError
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
def taken_in(project: Path) -> None:
    """A project that took the demo shop's files in."""
    demo.generate(project.parent / "export", project.parent / "truth", demo.DemoSize.small(), seed=7)
    tandem("ingest", "--source", "demo", "--raw", str(project.parent / "export"))


@pytest.fixture
def trained(taken_in: None) -> str:
    """A project with releases, a registry, a deployment, a remote and an old version of raw data; whom to erase."""
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

    (written,) = Path("reports/erasure").iterdir()
    text = written.read_text()
    assert json.loads(text)["found"] == 0
    assert json.loads(text)["searched"]["files"]["Parquet"] > 10
    for told in (text, said, settings.access_log.read_text()):
        assert pseudonym not in told
        assert not re.search(rf"\b{trained}\b", told)

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


def test_somebody_unknown_is_a_warning_and_a_proof_only_on_request(taken_in: None) -> None:
    before = files.hash_folder(RAW)
    said = tandem("erase", "99999").stdout
    assert "warning: nobody by that id was found; check the spelling" in said
    assert "Next" not in said
    assert not Path("reports/erasure").exists()
    assert not list(Path(".tandem").glob("erasure/*"))
    said = tandem("erase", "99999", "--prove-absence").stdout
    assert "check the spelling" in said
    (written,) = Path("reports/erasure").iterdir()
    assert f"{written}: everything was searched, nothing is held of anybody by that id" in said
    found = files.read_json(written)
    assert (found["outcome"], found["found"], found["removed"]) == ("nobody was found", 0, {})
    assert "check the spelling" in tandem("erase", "99999").stdout  # that proof is none of an erasure
    assert files.hash_folder(RAW) == before


def person_of(pseudonym: str) -> str:
    """The shop's id of a pseudonym."""
    key = pseudonyms.load_key(Settings())
    users = {row["CustomerNo"].removesuffix(".0") for row in rows()}
    return next(user for user in users if pseudonyms.of(key, user) == pseudonym)


FLOW = """
import logging, sys
from prefect import flow
from tandem.errors import TandemError

@flow
def retrain(rows):
    logging.getLogger("flows.versions").warning("the first rows: %s", rows)
    raise TandemError(f"snapshot refused: {rows}")

try:
    retrain(sys.argv[1])
except TandemError:
    pass
"""
"""What a refusal was while it named users: in logs, states and events of Prefect."""


def test_a_person_whom_prefect_knows_from_a_refusal_is_erased_while_its_server_runs(
    taken_in: None, prefect_server: str, caplog: pytest.LogCaptureFixture
) -> None:
    database = Path(".tandem/prefect/prefect.db")
    params = Path("params.yaml").read_text()
    Path("params.yaml").write_text(params.replace("max_unit_price: 10000", "max_unit_price: 1"))
    with pytest.raises(PipelineError, match=r"price_range: .* rows of events"), caplog.at_level("INFO"):
        versions.repro("validate")
    report = files.read_json(Path("reports/validation.json"))
    (failed,) = [one for one in report["expectations"] if (one["table"], one["name"]) == ("events", "price_range")]
    pseudonym = next(row["user_id"] for row in failed["first"] if "user_id" in row)
    user = person_of(pseudonym)
    assert pseudonym not in caplog.text

    subprocess.run([sys.executable, "-c", FLOW, json.dumps(failed["first"])], check=True, capture_output=True)
    found = [path.as_posix() for path in holders(pseudonym, user)]
    assert {"reports/validation.json", "data/docs/runs/0001/index.html"} <= set(found)
    assert [path for path in found if "prefect.db" in path]

    said = tandem("erase", said=f"{user}\n").stdout
    assert "no trace is left" in said
    assert "databases: 1" in said
    assert "warning: the tables could not be made anew: stage `validate` stopped: snapshot refused" in said
    assert holders(pseudonym, user) == []
    assert pseudonym not in said
    with closing(sqlite3.connect(database)) as opened:
        told = [
            message for (message,) in opened.execute("SELECT message FROM flow_run_state WHERE message IS NOT NULL")
        ]
    assert [message for message in told if "snapshot refused" in message and '"user_id": "erased"' in message]
    assert httpx.get(f"{prefect_server}/health").status_code == 200
    (written,) = Path("reports/erasure").iterdir()
    assert f"who was erased before: {written}" in tandem("erase", user).stdout


def test_what_an_s3_remote_holds_of_a_person_goes_too(taken_in: None, s3: str) -> None:
    versions.repro("validate")
    snapshots.record()
    versions.push(Settings())
    user = [row for row in rows() if "AgeBand" in row][20]["CustomerNo"]
    pseudonym = pseudonyms.of(pseudonyms.load_key(Settings()), user)
    bucket = boto3.resource("s3", endpoint_url=s3).Bucket("shop")

    def theirs() -> list[str]:
        """Objects that hold the pseudonym, or rows of the person as the shop writes them."""
        search, row = Search([pseudonym], user), re.compile(rf"^([^,\n]*,)*{user}(\.0)?(,|$)".encode(), re.MULTILINE)
        content = {found.key: found.get()["Body"].read() for found in bucket.objects.all()}
        return [key for key, text in content.items() if search.in_stream(io.BytesIO(text), key) or row.search(text)]

    assert len(theirs()) > 5  # the control: tables of two stages, raw files
    done = erasure.erase(user)
    assert theirs() == []
    assert len(list(bucket.objects.all())) > 5
    assert done.proof is not None
    searched = files.read_json(done.proof)
    assert "DVC remote tandem" in searched["searched"]["places"]
    assert searched["not reached"] == []
    versions.push(Settings())
    assert theirs() == []


def test_a_proof_says_that_a_bucket_keeps_what_is_deleted(repository: Path, s3: str) -> None:
    with objects.stores(Settings()) as stores:
        assert places.not_reached(Settings(), stores) == []
    boto3.client("s3", endpoint_url=s3).put_bucket_versioning(
        Bucket="shop", VersioningConfiguration={"Status": "Enabled"}
    )
    with objects.stores(Settings()) as stores:
        (said,) = places.not_reached(Settings(), stores)
    assert said == "DVC remote tandem: bucket shop keeps earlier versions of deleted objects: remove them there"


@pytest.mark.parametrize(
    ("name", "address", "said"),
    [
        ("TANDEM_TRACKING_URI", "postgresql://u:secret@host/db", "the database that TANDEM_TRACKING_URI names"),
        (
            "PREFECT_API_DATABASE_CONNECTION_URL",
            "postgresql+asyncpg://u:secret@host/db",
            "the database that PREFECT_API_DATABASE_CONNECTION_URL names",
        ),
        ("PREFECT_API_DATABASE_CONNECTION_URL", "sqlite+aiosqlite:///.tandem/prefect.db", ""),
        ("PREFECT_API_URL", "http://prefect.shop:4200/api", "the database of Prefect's server on prefect.shop"),
        ("PREFECT_API_URL", "http://127.0.0.1:4200/api", ""),
    ],
)  # fmt: skip
def test_a_proof_names_databases_that_are_elsewhere(
    registry: Registry, monkeypatch: pytest.MonkeyPatch, name: str, address: str, said: str
) -> None:
    settings = Settings()
    monkeypatch.setenv(name, address)
    assert places.not_reached(settings, []) == ([said] if said else [])


def test_state_of_tools_is_searched_wherever_it_is(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_HOME", str(tmp_path / "prefect"))
    monkeypatch.setenv("BENTOML_HOME", str(Settings().home / "bentoml"))
    (tmp_path / "prefect").mkdir()
    assert [path for path in places.searched(Settings()) if not path.is_relative_to(Path.cwd())] == [
        tmp_path / "prefect"
    ]


@pytest.mark.parametrize(("found", "said"), [(["a"], "still in 1 place, "), (list("abcdefg"), "still in 7 places, ")])
def test_a_person_who_is_still_there_is_told_with_what_to_do(found: list[str], said: str) -> None:
    message = proof._still_there(found)
    assert said in message
    assert "What to do: stop Prefect's server" in message
    assert ("; and 2 more" in message) == (len(found) == 7)


def test_there_is_no_proof_while_a_trace_is_left(taken_in: None, monkeypatch) -> None:
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
