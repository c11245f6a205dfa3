"""Versions of snapshots in real DVC projects: kept, exact, quiet, and let go only when nothing needs them."""

import json
import logging
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import boto3
import pandas as pd
import pytest
from moto import settings as moto_settings
from typer.testing import CliRunner

from flows import snapshots, versions
from flows.commands import data
from flows.snapshots import Version, VersionError
from flows.versions import PipelineError
from tandem import files
from tandem.data import schema
from tandem.settings import Settings

PIPELINE = """
stages:
  validate:
    cmd: rm -rf data/snapshot && cp -r data/raw/shop data/snapshot
    deps: [data/raw/shop]
    outs: [data/snapshot]
"""


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def dvc(*arguments: str) -> str:
    done = subprocess.run([sys.executable, "-m", "dvc", *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def place(store: str, name: str) -> Path:
    return Path(store) / "files/md5" / name[:2] / name[2:]


def stored(name: str) -> bytes:
    return place(".dvc/cache", name).read_bytes()


def lose_the_cache() -> None:
    shutil.rmtree(".dvc/cache")
    for version in snapshots.listed():
        shutil.rmtree(version.folder)


@pytest.fixture
def accept(repository: Path) -> Callable[[int], Version]:
    """Let the pipeline accept a snapshot of so many events, over the same products, and record it."""
    (repository / "dvc.yaml").write_text(PIPELINE)

    def run(size: int) -> Version:
        raw = repository / "data/raw/shop"
        shutil.rmtree(raw, ignore_errors=True)
        rows = [
            {"event_id": f"f:{row}", "user_id": f"u{row}", "product_id": "p", "kind": "view"} for row in range(size)
        ]
        events = pd.DataFrame(rows, columns=schema.EVENTS.names).assign(quantity=1.0)
        events["time"] = pd.date_range("2026-01-01", periods=size, freq="h", tz="UTC", unit="us")
        files.write(events.astype({"unit_price": float}), raw / "events.parquet", schema.EVENTS)
        products = pd.DataFrame([{"product_id": "p", "category": ["Tea"]}], columns=schema.PRODUCTS.names)
        numbers = dict.fromkeys(("price", "stock", "lead_time_days"), float)
        files.write(products.astype(numbers), raw / "products.parquet", schema.PRODUCTS)
        manifest = {"source": "shop", "data_hash": files.hash_folder(raw), "as_of": "2026-07-01T00:00:00+00:00"}
        manifest |= {"rows": {"events": size, "products": 1}, "span": [str(events.time.min()), str(events.time.max())]}
        manifest |= {
            "files": [{"file": "a.csv", "sha256": "0" * 64, "rows": size}],
            "suite": {"asked": 28, "held": 27, "warnings": ["freshness"], "skipped": []},
        }
        files.write_json({"rows": size}, raw / "profile.json")
        files.write_json(manifest, raw / "manifest.json")
        versions.repro()
        return snapshots.record()

    return run


@pytest.mark.slow
def test_versions_outlive_what_replaces_them_and_dvc_stays_quiet(accept, caplog: pytest.LogCaptureFixture) -> None:
    first, before = accept(3), contents(Path("data/snapshot"))
    second = accept(4)
    assert [version.id for version in snapshots.listed()] == [first.id, second.id]
    assert first.id == first.manifest["data_hash"][:12]
    assert "Data and pipelines are up to date." in dvc("status")
    caplog.set_level(logging.INFO)
    versions.repro()
    assert "Running stage" not in caplog.text
    dvc("gc", "--workspace", "--force")
    dvc("checkout")
    assert contents(first.folder) == before
    assert "Data and pipelines are up to date." in dvc("status")
    versions.push(Settings())
    assert "in sync" in dvc("status", "--cloud")


@pytest.mark.slow
def test_a_version_takes_no_second_place_on_disk_and_cannot_be_written(accept) -> None:
    version = accept(3)
    stored = {path.stat().st_ino for path in Path(".dvc/cache").rglob("*") if path.is_file()}
    for path in version.folder.iterdir():
        assert path.stat().st_ino in stored
        assert path.stat().st_mode & 0o777 == 0o444


@pytest.mark.slow
def test_the_same_data_is_one_version(accept) -> None:
    first = accept(3)
    assert snapshots.record() == first
    accept(4)
    assert accept(3) == first
    assert len(snapshots.listed()) == 2


@pytest.mark.slow
def test_a_version_comes_back_from_the_remote_byte_for_byte(accept, tmp_path: Path) -> None:
    first, before = accept(3), contents(Path("data/snapshot"))
    accept(4)
    versions.push(Settings())
    lose_the_cache()
    to = tmp_path / "back"
    assert snapshots.restore(snapshots.find(first.id[:5]), Settings(), to) == to
    assert contents(to) == contents(first.folder) == before
    (to / "events.parquet").write_bytes(b"mine now")  # a copy of one's own, writable
    assert contents(first.folder) == before


@pytest.mark.slow
def test_a_damaged_version_is_never_handed_out(accept, tmp_path: Path) -> None:
    version, before = accept(3), contents(Path("data/snapshot"))
    versions.push(Settings())
    for remote, name in (("there", "events.parquet"), ("there", "profile.json"), ("gone", "events.parquet")):
        spoiled = version.folder / name
        spoiled.chmod(0o644)
        spoiled.write_bytes(b"x" + spoiled.read_bytes()[1:])
        if remote == "there":
            assert contents(snapshots.restore(version, Settings())) == before
    shutil.rmtree(".tandem/dvc")
    with pytest.raises(PipelineError, match=r"neither the cache nor the remote .* holds all of"):
        snapshots.restore(version, Settings(), tmp_path / "back")
    assert not (tmp_path / "back").exists()


@pytest.mark.slow
def test_a_version_is_not_put_where_the_pipeline_or_something_else_is(accept, tmp_path: Path) -> None:
    version = accept(3)
    with pytest.raises(VersionError, match="the next run would replace a version put there"):
        snapshots.restore(version, Settings(), Path("data/snapshot"))
    with pytest.raises(VersionError, match="exists; name a folder that does not"):
        snapshots.restore(version, Settings(), tmp_path)
    with pytest.raises(VersionError, match=f"no version begins with `ffffffff`; there are {version.id}"):
        snapshots.find("ffffffff")


@pytest.mark.slow
def test_an_altered_snapshot_is_not_recorded(accept, repository: Path) -> None:
    accept(3)
    manifest = files.read_json(repository / "data/snapshot/manifest.json")
    files.write_json(manifest | {"data_hash": "1" * 64}, repository / "data/snapshot/manifest.json")
    with pytest.raises(VersionError, match="not as recorded"):
        snapshots.record()
    assert len(snapshots.listed()) == 1
    assert not (snapshots.VERSIONS / ("1" * 12)).exists()


@pytest.mark.slow
def test_garbage_is_what_nothing_needs(accept, tmp_path: Path) -> None:
    """The champion learned from the first of four, the newest is in the workspace; two in between go."""
    champion, *between, newest = [accept(size) for size in (3, 4, 5, 6)]
    before = contents(champion.folder)
    files.write_json({"data_hash": champion.manifest["data_hash"]}, Path("data/champion/related/manifest.json"))
    versions.push(Settings())
    for more in (len(snapshots.listed()), len(snapshots.listed()) + 1, 100):
        assert snapshots.plan(more, Settings()).drop == ()
    planned = snapshots.plan(1, Settings(), in_remote=True)
    assert [(version.id, reason) for version, reason in planned.keep] == [
        (champion.id, "the champion"),
        (newest.id, "the workspace, among the newest 1"),
    ]
    assert planned.drop == tuple(between)
    own = {path.name: path.stat().st_size for v in between for path in v.folder.glob("products.parquet")}
    assert set(planned.objects.cache) == set(planned.objects.remote)
    assert len(planned.objects.cache) == 2 * 4  # of each: list of files, events, profile, manifest; products are shared
    assert own["products.parquet"] not in planned.objects.cache.values()
    stored = sum(path.is_file() for path in Path(".tandem/dvc").rglob("*"))
    snapshots.collect(planned)
    assert stored - sum(path.is_file() for path in Path(".tandem/dvc").rglob("*")) == 8
    assert [version.id for version in snapshots.listed()] == [champion.id, newest.id]
    assert "Data and pipelines are up to date." in dvc("status")
    versions.push(Settings())
    lose_the_cache()
    snapshots.restore(champion, Settings(), tmp_path / "champion")
    assert contents(tmp_path / "champion") == before


@pytest.mark.slow
def test_a_version_without_its_content_is_forgotten_and_pushes_go_on(accept) -> None:
    """As an erasure leaves it: an object gone from folder, cache and remote."""
    first, second = accept(3), accept(4)
    versions.push(Settings())
    (first.folder / "events.parquet").unlink()
    assert snapshots.forget_lost(Settings()) == []  # the cache still has it
    content = {line["relpath"]: line["md5"] for line in json.loads(stored(versions.pointed(first.pointer)[0]["md5"]))}
    for store in (".dvc/cache", ".tandem/dvc"):
        place(store, content["events.parquet"]).unlink()
    assert snapshots.forget_lost(Settings()) == [first]
    assert snapshots.listed() == [second]
    versions.push(Settings())
    assert "Data and pipelines are up to date." in dvc("status")


@pytest.mark.slow
def test_the_commands_say_what_there_is_and_do_nothing_unasked(accept) -> None:
    first, second = accept(3), accept(4)
    run = CliRunner().invoke
    listed = run(data.app, ["versions"]).stdout.splitlines()
    assert listed[1].split()[0] == first.id
    assert "the workspace" not in listed[1]
    assert "the workspace" in listed[2]
    assert json.loads(run(data.app, ["versions", "--json"]).stdout)[1]["data_hash"] == second.manifest["data_hash"]
    shown = run(data.app, ["show", first.id]).stdout
    assert "a.csv" in shown
    assert "asked  28" in shown
    compared = run(data.app, ["diff", first.id]).stdout
    assert f"{first.id} → current" in compared
    assert "users     3  4     0    1" in compared
    found = json.loads(run(data.app, ["diff", "current", first.id, "--json"]).stdout)
    assert found["rows"]["events"] == {"a": 4, "b": 3}
    told = run(data.app, ["gc", "--keep", "0"]).stdout
    assert f"keep    {second.id}  the workspace" in told
    assert f"remove  {first.id}" in told
    assert "nothing was removed: add --yes to do it" in told
    assert len(snapshots.listed()) == 2
    assert "freed" in run(data.app, ["gc", "--keep", "0", "--yes"]).stdout
    assert [version.id for version in snapshots.listed()] == [second.id]


def test_without_an_accepted_snapshot_there_is_nothing_to_record(repository: Path) -> None:
    with pytest.raises(VersionError, match=r"data/snapshot holds no accepted snapshot"):
        snapshots.record()
    assert snapshots.listed() == []


@pytest.mark.slow
def test_s3_gives_back_the_same_bytes_and_no_secret_is_written(
    accept, s3: str, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    first, before = accept(3), contents(Path("data/snapshot"))
    accept(4)
    versions.push(Settings())
    lose_the_cache()
    assert contents(snapshots.restore(first, Settings())) == before
    dvc("pull")  # DVC's own command line finds the same remote
    assert "Data and pipelines are up to date." in dvc("status")
    planned = snapshots.plan(1, Settings(), in_remote=True)
    assert planned.drop == (first,)
    assert len(planned.objects.remote) == 4
    snapshots.collect(planned)
    listed = boto3.client("s3", endpoint_url=s3).list_objects_v2(Bucket="shop")["Contents"]
    assert not {name[2:] for name in planned.objects.remote} & {Path(entry["Key"]).name for entry in listed}
    assert accept(3).id == first.id
    versions.push(Settings())  # what was freed is not taken for present
    lose_the_cache()
    assert contents(snapshots.restore(snapshots.find(first.id), Settings())) == before
    assert not (repository / ".tandem/dvc").exists()
    written = [path.read_bytes() for path in repository.rglob("*") if path.is_file()]
    secret = os.environ["AWS_SECRET_ACCESS_KEY"]
    assert not any(secret.encode() in content or b"AKIAEXAMPLE" in content for content in written)
    assert secret not in caplog.text


@pytest.mark.slow
def test_wrong_credentials_and_a_server_that_is_not_there_are_one_sentence(
    accept, s3: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    accept(3)
    monkeypatch.setattr(moto_settings, "INITIAL_NO_AUTH_ACTION_COUNT", 0)  # from now on the server checks keys
    with pytest.raises(PipelineError) as refused:
        versions.push(Settings())
    assert str(refused.value).startswith("remote s3://shop/tandem: Forbidden")
    assert "credentials come from AWS_ACCESS_KEY_ID" in str(refused.value)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] not in str(refused.value)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
    with pytest.raises(PipelineError, match="Unable to locate credentials"):
        versions.push(Settings())
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "a")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "b")
    monkeypatch.setenv("TANDEM_REMOTE_ENDPOINT_URL", "http://127.0.0.1:9")
    with pytest.raises(PipelineError, match="Could not connect to the endpoint URL") as unreachable:
        versions.push(Settings())
    assert "\n" not in str(unreachable.value)
