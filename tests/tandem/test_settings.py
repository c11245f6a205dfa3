"""Where things are comes from the environment, and the README says so."""

import os
from pathlib import Path

import pytest

from tandem import settings


def test_the_readme_names_every_variable(root: Path) -> None:
    assert settings.document() in (root / "README.md").read_text()


def test_the_environment_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_HOME", "elsewhere")
    assert settings.Settings().key_file == Path("elsewhere/pseudonym.key")


def test_a_key_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TANDEM_PSEUDONYM_KEY", "ab" * 32)
    assert "abab" not in repr(settings.Settings())


def test_tools_stay_quiet_unless_someone_asks_them_to_speak(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GX_ANALYTICS_ENABLED", raising=False)
    monkeypatch.setenv("DVC_NO_ANALYTICS", "0")
    settings.quiet()
    assert os.environ["GX_ANALYTICS_ENABLED"] == "false"
    assert os.environ["DVC_NO_ANALYTICS"] == "0"
