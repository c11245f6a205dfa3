"""DVC does not see imports: what a stage imports must stand in its `deps`, or a change of code changes nothing."""

import re
from functools import cache
from pathlib import Path

import grimp
import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("tandem", "models", "stages", "flows")
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


@cache
def imports() -> grimp.ImportGraph:
    return grimp.build_graph(*ROOMS)


def body(stage: str) -> dict:
    """The stage, or what a `foreach` or `matrix` repeats."""
    return STAGES[stage].get("do", STAGES[stage])


def module(stage: str) -> str:
    """The module that the stage's command runs."""
    return re.fullmatch(r"python -m ([\w.]+)\b.*", body(stage)["cmd"], re.DOTALL)[1]


def file_of(name: str) -> Path:
    path = Path(*name.split("."))
    return path / "__init__.py" if (ROOT / path).is_dir() else path.with_suffix(".py")


def missing(stage: str, deps: list[str]) -> list[str]:
    """Files of the project that the stage's module imports, however far away, and `deps` do not cover."""
    needed = {module(stage), *imports().find_upstream_modules(module(stage))}
    named = {Path(dep) for dep in deps}
    return sorted(str(path) for path in map(file_of, needed) if not named & {path, *path.parents})


@pytest.mark.parametrize("stage", STAGES)
def test_deps_cover_all_that_a_stage_imports(stage: str) -> None:
    assert missing(stage, body(stage)["deps"]) == []


@pytest.mark.parametrize("stage", STAGES)
def test_deps_name_no_file_that_is_not_there(stage: str) -> None:
    code = [dep for dep in body(stage)["deps"] if dep.split("/")[0] in ROOMS]
    assert code
    assert [dep for dep in code if not (ROOT / dep).exists()] == []


def test_a_forgotten_module_is_found() -> None:
    """The check itself can fail: `stages.split` reaches `tandem.errors` only through `tandem.files`."""
    deps = [dep for dep in body("split")["deps"] if dep != "tandem/errors.py"]
    assert missing("split", deps) == ["tandem/errors.py"]
