"""The outside world: DVC, MLflow, Prefect and BentoML, one adapter each, and the `tandem` command."""

import os

from tandem import settings
from tandem.settings import Settings


def prepare() -> Settings:
    """Keep every tool quiet and its local state in `Settings.home`; call it before one of them is imported.

    What the environment already says (a Prefect server, another store) stays. `home` is absolute afterwards,
    here and for children, which may run in another folder.
    """
    settings.quiet()
    home = Settings().home.resolve()
    os.environ["TANDEM_HOME"] = str(home)
    defaults = {
        "PREFECT_HOME": home / "prefect",
        "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": 180,
        "PREFECT_LOGGING_EXTRA_LOGGERS": "flows",
        "BENTOML_HOME": home / "bentoml",
    }
    for name, value in defaults.items():
        os.environ.setdefault(name, str(value))
    return Settings()
