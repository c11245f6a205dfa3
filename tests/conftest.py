"""Shared by all tests: quiet tools, and where real data lies."""

import os
from pathlib import Path

import pytest

from tandem import settings
from tandem.settings import Settings

settings.quiet()

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def root() -> Path:
    """The project's folder."""
    return ROOT


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
