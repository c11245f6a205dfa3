"""The outside world: DVC, MLflow, Prefect and BentoML, one adapter each, and the `tandem` command."""

import os
from pathlib import Path

from flows import processes
from tandem import settings
from tandem.settings import Settings


def prepare() -> Settings:
    """Keep every tool quiet and its local state in `Settings.home`; call it before one of them is imported.

    What the environment already says (a Prefect server, another store) stays. Paths of local state are absolute
    afterwards, here and for children, which may run in another folder.
    """
    for name, value in environment().items():
        os.environ.setdefault(name, value)
    os.environ |= {name: value for name, value in environment().items() if name.startswith("TANDEM_")}
    for tool in ("PREFECT_HOME", "BENTOML_HOME"):
        Path(os.environ[tool]).mkdir(parents=True, exist_ok=True)  # Prefect does not make it
    os.environ[processes.MARK] = processes.mark()  # Prefect starts its temporary server itself
    return Settings()


def environment() -> dict[str, str]:
    """What tools are told: report nothing home, keep local state in `Settings.home`; paths are absolute."""
    found = Settings()
    home = found.home.resolve()
    places = {"TANDEM_HOME": home, "PREFECT_HOME": home / "prefect", "BENTOML_HOME": home / "bentoml"}
    if found.pseudonym_key_file:
        places["TANDEM_PSEUDONYM_KEY_FILE"] = found.pseudonym_key_file.resolve()
    return {
        **settings.QUIET,
        **{name: str(place) for name, place in places.items()},
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows",
        "PREFECT_LOGGING_TO_API_WHEN_MISSING_FLOW": "ignore",
    }
