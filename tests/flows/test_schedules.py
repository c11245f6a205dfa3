"""prefect.yaml names real flows, and a Prefect server made of the pinned versions does schedule them."""

import importlib
import subprocess
import time
from pathlib import Path

import pytest
import yaml

from flows import processes

SCHEDULED_S = 90


@pytest.fixture
def deployments(root: Path) -> list[dict]:
    return yaml.safe_load((root / "prefect.yaml").read_text())["deployments"]


def test_every_entrypoint_is_a_flow(deployments: list[dict]) -> None:
    from prefect import Flow

    found = {}
    for deployment in deployments:
        path, name = deployment["entrypoint"].split(":")
        flow = getattr(importlib.import_module(path.removesuffix(".py").replace("/", ".")), name)
        assert isinstance(flow, Flow)
        found[flow.name] = deployment
    assert set(found) == {"ingest", "retrain", "deploy"}


def test_every_deployment_has_the_pool_a_schedule_and_no_twin(deployments: list[dict]) -> None:
    for deployment in deployments:
        assert deployment["work_pool"]["name"] == "tandem"
        assert deployment["concurrency_limit"] == 1
        assert all("cron" in schedule for schedule in deployment["schedules"])


@pytest.mark.slow
def test_all_deploy_and_runs_are_scheduled(prefect_server: str, deployments: list[dict]) -> None:
    """SQLAlchemy 2.1 or a later FastAPI would break this silently: a healthy server that never schedules."""
    _prefect("work-pool", "create", "tandem", "--type", "process")
    _prefect("--no-prompt", "deploy", "--all")
    scheduled = _scheduled(prefect_server)
    ends = time.monotonic() + SCHEDULED_S
    while len(scheduled) < len(deployments) and time.monotonic() < ends:
        time.sleep(1)
        scheduled = _scheduled(prefect_server)
    assert scheduled == {"ingest", "retrain", "deploy"}


def _prefect(*arguments: str) -> None:
    with processes.start("prefect", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as process:
        said, _ = process.communicate(timeout=120)
    assert process.returncode == 0, said


def _scheduled(address: str) -> set[str]:
    """Names of the flows with a run that the server itself has scheduled."""
    import httpx

    def post(path: str, body: dict) -> list[dict]:
        return httpx.post(f"{address}/{path}/filter", json=body).json()

    runs = post("flow_runs", {"flow_runs": {"state": {"type": {"any_": ["SCHEDULED"]}}}})
    names = {flow["id"]: flow["name"] for flow in post("flows", {})}
    return {names[run["flow_id"]] for run in runs if run["auto_scheduled"]}
