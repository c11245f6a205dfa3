"""The rules between the rooms, as stated in pyproject.toml."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tandem import params, settings


def test_arrows_never_go_left(root: Path) -> None:
    """import-linter keeps every contract of pyproject.toml."""
    done = subprocess.run([Path(sys.executable).parent / "lint-imports"], cwd=root, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_every_pinned_package_has_a_hash_and_no_address(root: Path) -> None:
    lock = (root / "requirements.lock").read_text()
    pinned = [line for line in lock.splitlines() if "==" in line]
    assert len(pinned) > 200
    assert all(line.endswith("\\") for line in pinned)
    assert "http" not in lock.replace("httpcore", "").replace("httpx", "").replace("-http", "").replace("aiohttp", "")
    assert "--index-url" not in lock


@pytest.mark.parametrize(
    ("package", "reason"),
    [("bentoml==1.4", "an unpinned resolve picks 0.9"), ("fastapi==0.150.0", "Prefect cannot schedule beyond it")],
)
def test_the_lock_keeps_versions_that_work_together(root: Path, package: str, reason: str) -> None:
    assert f"\n{package}" in (root / "requirements.lock").read_text(), reason


def test_sqlalchemy_stays_below_2_1_or_schedules_never_fire(root: Path) -> None:
    assert "\nsqlalchemy==2.0." in (root / "requirements.lock").read_text()


def test_telemetry_is_off_in_dvc_too(root: Path) -> None:
    """DVC's own command line reads its config, not our settings: both must say no."""
    config = (root / ".dvc" / "config").read_text()
    assert "analytics = false" in config
    assert "check_update = false" in config
    assert settings.QUIET["DVC_NO_ANALYTICS"] == "1"


def test_every_section_of_params_is_read_by_a_class(root: Path) -> None:
    """No number stands in params.yaml that nothing reads."""
    values = params.read_all(root / "params.yaml")
    sections = {cls.section for cls in _sections() if "." not in cls.section}
    assert set(values) - {"source", "networks"} == sections & set(values)
    for cls in _sections():
        cls.read(root / "params.yaml")


def test_ruff_and_mypy_are_configured_once(root: Path) -> None:
    tools = tomllib.loads((root / "pyproject.toml").read_text())["tool"]
    assert {"ruff", "mypy", "pytest", "importlinter"} <= set(tools)
    assert not list(root.glob("*.cfg")) + list(root.glob("mypy.ini")) + list(root.glob("ruff.toml"))


def _sections() -> list[type[params.Section]]:
    import models.image.params  # networks bring their own sections
    import models.rankers
    import models.relations.params
    import models.sentiment.params
    import models.text.params  # noqa: F401

    return list(_below(params.Section))


def _below(cls: type[params.Section]) -> list[type[params.Section]]:
    return [found for child in cls.__subclasses__() for found in (child, *_below(child))]
