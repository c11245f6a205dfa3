"""Projects to run flows in: real DVC repositories in a temporary folder, with all local state inside."""

import logging
import os
import secrets
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from flows import bento, prepare, processes
from flows.registry import Registry
from tandem import files, release
from tandem.data import schema
from tandem.features import dataset
from tandem.params import CountingParams, FeaturesParams
from tandem.privacy import pseudonyms
from tandem.ranking.popularity import Popular
from tandem.settings import Settings

OURS = ("TANDEM_", "PREFECT_", "MLFLOW_", "BENTOML_HOME")
STARTED_S = 120
CODE = ("tandem", "models", "stages", "flows", "services", "sources")
FILES = (
    "params.yaml",
    "dvc.yaml",
    "prefect.yaml",
    "bentofile.yaml",
    "requirements.lock",
    "pyproject.toml",
    ".dvcignore",
)


@pytest.fixture
def repository(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty project under git and DVC, which is the current folder; no environment leaks in or out."""
    folder = tmp_path / "project"
    (folder / ".dvc").mkdir(parents=True)
    monkeypatch.chdir(folder)
    subprocess.run(["git", "init", "--quiet", "."], check=True)
    for name in (".dvc/config", ".dvc/.gitignore", ".gitignore", ".dvcignore"):
        shutil.copy(root / name, folder / name)
    outside = dict(os.environ)
    for name in [name for name in os.environ if name.startswith(OURS)]:
        del os.environ[name]
    os.environ["TANDEM_HOME"] = str(folder / ".tandem")
    yield folder
    os.environ.clear()
    os.environ.update(outside)


@pytest.fixture
def project(root: Path, repository: Path) -> Path:
    """A copy of the whole project without data, under git and DVC; the current folder."""
    for name in CODE:
        shutil.copytree(root / name, repository / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(root / name, repository / name)
    return repository


@pytest.fixture(scope="session")
def empty_registry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A registry database with its tables: MLflow takes seconds to make one."""
    home = tmp_path_factory.mktemp("registry")
    assert Registry(Settings(home=home)).named("related", "champion") is None
    return home / "mlflow.db"


@pytest.fixture
def registry(repository: Path, empty_registry: Path) -> Registry:
    """The project's own registry, empty."""
    home = Settings().home
    home.mkdir()
    shutil.copy(empty_registry, home)
    return Registry(Settings())


@pytest.fixture
def make_release(root: Path):
    """Write a real release: `popular`, learned from one sale per product, under the folder and facts given."""

    def make(folder: Path, *products: str, source: str = "shop") -> str:
        columns = {"user_id": "u", "kind": "purchase", "quantity": 1.0, "unit_price": 2.0, "session_id": None}
        sold = pd.DataFrame({"product_id": products, "order_id": [f"o{i}" for i in range(len(products))], **columns})
        sold["event_id"] = sold["order_id"]
        sold["time"] = pd.date_range("2026-01-01", periods=len(products), tz="UTC")
        table = pd.DataFrame({name: [None] * len(products) for name in schema.PRODUCTS.names})
        table = table.assign(product_id=products, title=products, category=[[]] * len(products))
        params = FeaturesParams(target_kinds=("purchase",), kind_weight={"purchase": 1.0})
        built = dataset.build(sold, table.astype({"price": float}), pd.Timestamp("2026-02-01", tz="UTC"), params)
        ranker = Popular(CountingParams.read(root / "params.yaml")).fit(built)
        state = built.histories, built.demand
        facts = {"kind": "popular", "tasks": ["recommend", "related"], "params": {"trend": {"days": 14}}, "seed": 7}
        facts |= {"source": source, "data_hash": f"data of {source}", "window": "final"}
        facts["key_id"] = pseudonyms.key_id(pseudonyms.ensure_key(Settings()))
        return release.write(folder, ranker, built.vocabulary, table.astype({"price": float}), state, facts)

    return make


@pytest.fixture
def write_report():
    """Write reports/evaluation.json as `stages.evaluate` does, with one winner for both tasks."""

    def write(winner: str, *, promote: bool = True, champion: str | None = None, source: str = "shop") -> None:
        measured = {"ndcg_at_10": {"mean": 0.25, "low": 0.2, "high": 0.3}, "coverage_at_20": {"mean": 0.5}}
        view = {"cases": 3, "catalogue": 2, "rankers": {"popular": measured}}
        rival = {"name": "popular", "content_hash": champion} if champion else None
        decision = {"winner": "popular", "content_hash": winner, "kind": "counting", "promote": promote}
        decision |= {"champion": rival, "reasons": ["popular has the best ndcg_at_10."], "comparisons": []}
        part = {"protocols": {"B": {"all": view}}, "decision": decision, "candidates": {}}
        report = {"source": source, "data_hash": "d", "tasks": {"recommend": part, "related": part}}
        files.write_json(report, Path("reports/evaluation.json"))

    return write


@pytest.fixture
def s3(monkeypatch: pytest.MonkeyPatch, repository: Path) -> Iterator[str]:
    """Address of an S3-compatible server on this machine with the bucket `shop`; the environment has a key for it."""
    import boto3
    from moto.server import ThreadedMotoServer  # takes seconds

    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    address = "http://{}:{}".format(*server.get_host_and_port())
    key = {
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "wJalrXUtnFEMI-never-written",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in {**key, "AWS_EC2_METADATA_DISABLED": "true"}.items():
        monkeypatch.setenv(name, value)
    boto3.client("s3", endpoint_url=address).create_bucket(Bucket="shop")
    monkeypatch.setenv("TANDEM_REMOTE", "s3://shop/tandem")
    monkeypatch.setenv("TANDEM_REMOTE_ENDPOINT_URL", address)
    yield address
    server.stop()


@pytest.fixture
def prefect_server(project: Path) -> Iterator[str]:
    """Address of the API of a Prefect server over an empty database."""
    prepare()
    port = bento.free_port()
    os.environ["PREFECT_API_URL"] = f"http://127.0.0.1:{port}/api"
    os.environ["PREFECT_SERVER_SERVICES_SCHEDULER_LOOP_SECONDS"] = "5"
    arguments = ("server", "start", "--host", "127.0.0.1", "--port", str(port))
    with (
        Path("server.log").open("w") as log,
        processes.start("prefect", *arguments, stdout=log, stderr=subprocess.STDOUT) as process,
    ):
        _wait_until_healthy(os.environ["PREFECT_API_URL"], process)
        yield os.environ["PREFECT_API_URL"]


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """SQLAlchemy URL of an empty PostgreSQL database on loopback, asked for its password; gone after the tests."""
    found = shutil.which("initdb") or next(map(str, sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))), None)
    if found is None:
        pytest.skip("PostgreSQL is not installed: `.ci/packages` installs it, or `apt-get install postgresql`")
    binaries = Path(found).resolve().parent
    user = {"user": "nobody", "group": "nogroup"} if os.getuid() == 0 else {}  # PostgreSQL refuses to run as root
    password = secrets.token_urlsafe()
    with tempfile.TemporaryDirectory() as scratch, socket.socket() as probe:
        folder = Path(scratch)
        (folder / "password").write_text(password)
        for path in (folder, folder / "password") if user else ():
            shutil.chown(path, **user)
        options = ["--username=shop", f"--pwfile={folder / 'password'}", "--auth=scram-sha-256", "--no-sync"]
        command = [binaries / "initdb", f"--pgdata={folder / 'data'}", "--encoding=UTF8", "--locale=C", *options]
        subprocess.run(command, check=True, capture_output=True, cwd=folder, **user)
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
        probe.close()
        server = [binaries / "postgres", "-D", folder / "data", "-p", port, "-F", "-k", folder, "-h", "127.0.0.1"]
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(server, stdout=log, stderr=log, cwd=folder, **user)
        try:
            _answers(int(port), process, folder / "log")
            yield f"postgresql://shop:{password}@127.0.0.1:{port}/postgres"
        finally:
            process.terminate()
            process.wait(30)


def _wait_until_healthy(address: str, process: subprocess.Popen) -> None:
    import httpx

    ends = time.monotonic() + STARTED_S
    while time.monotonic() < ends and process.poll() is None:
        try:
            if httpx.get(f"{address}/health").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.5)
    pytest.fail(f"{address} is not healthy: {Path('server.log').read_text()}")


def _answers(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    ends = time.monotonic() + 60
    while time.monotonic() < ends and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")
