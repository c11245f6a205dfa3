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
    settings.quiet()
    found = Settings()
    home = found.home.resolve()
    os.environ["TANDEM_HOME"] = str(home)
    if found.pseudonym_key_file:
        os.environ["TANDEM_PSEUDONYM_KEY_FILE"] = str(found.pseudonym_key_file.resolve())
    for name in ("PREFECT", "BENTOML"):
        folder = os.environ.setdefault(f"{name}_HOME", str(home / name.lower()))
        Path(folder).mkdir(parents=True, exist_ok=True)  # Prefect does not make it
    os.environ.setdefault("PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS", "180")
    os.environ.setdefault("PREFECT_LOGGING_EXTRA_LOGGERS", "flows")
    os.environ[processes.MARK] = processes.mark()  # Prefect starts its temporary server itself
    return Settings()
