"""Shared by all tests: quiet tools, and where real data lies."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hypothesis
import pandas as pd
import pytest

from tandem import files, settings
from tandem.data import canonical, schema
from tandem.data.sources import Source
from tandem.params import IngestParams
from tandem.settings import Settings

settings.quiet()
hypothesis.settings.register_profile("tandem", deadline=None)  # a busy machine is no fault
hypothesis.settings.load_profile("tandem")

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


@dataclass(frozen=True)
class Canonical:
    """What became of some raw files."""

    tables: dict[str, pd.DataFrame]
    report: dict[str, Any]


@pytest.fixture(scope="session")
def make(root: Path) -> Callable[..., Canonical]:
    """The canonical tables of raw files, made in the folder `work`: `make(source, raw, key, work)`."""

    def make(source: Source, raw: Path, key: bytes, work: Path, params: IngestParams | None = None) -> Canonical:
        params = params or IngestParams.read(root / "params.yaml")
        report = canonical.make(source, raw, key, work / "canonical", work / "parts", params)
        tables = {name: files.read(work / "canonical" / f"{name}.parquet", t) for name, t in schema.TABLES.items()}
        return Canonical(tables, report)

    return make


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Tests marked `full` are for `make test-full`."""
    if item.get_closest_marker("full") and not os.environ.get("FULL"):
        pytest.skip("takes long; set FULL=1 (`make test-full`)")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have a key and a home of their own."""
    for name in [name for name in os.environ if name.startswith("TANDEM_") and name != "TANDEM_DATA_DIR"]:
        monkeypatch.delenv(name)


@pytest.fixture
def real_data(request: pytest.FixtureRequest) -> Path:
    """Folder of a real dataset, named by `@pytest.mark.real_data("online_retail")`."""
    name = request.node.get_closest_marker("real_data").args[0]
    configured = Settings().data_dir
    folder = (configured if configured.is_absolute() else ROOT / configured) / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is absent; set TANDEM_DATA_DIR to the folder with the real datasets")
    return folder
