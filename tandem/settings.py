"""Where things are: every environment variable that Tandem reads, and the quiet defaults of its tools."""

import os
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

QUIET = {
    "DO_NOT_TRACK": "true",
    "DVC_NO_ANALYTICS": "1",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "WARNING",
    "BENTOML_DO_NOT_TRACK": "True",
    "HF_HUB_OFFLINE": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "TF_CPP_MIN_LOG_LEVEL": "3",
    "CUDA_VISIBLE_DEVICES": "-1",
}
"""Telemetry, update checks and noise of the tools, off. Anyone may turn one on in the environment."""


class Settings(BaseSettings):
    """Read from environment variables named `TANDEM_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="TANDEM_", extra="ignore")

    home: Path = Field(Path(".tandem"), description="folder for local state: key, databases, stores")
    pseudonym_key: SecretStr | None = Field(None, description="key of user pseudonyms, 64 hex digits")
    pseudonym_key_file: Path | None = Field(
        None, description="file with that key and retired ones; default <home>/pseudonym.key"
    )
    vault_key: SecretStr | None = Field(None, description="key of what is encrypted at rest, 64 hex digits")
    inbox: Path | None = Field(None, description="the shop's exports, taken in by `tandem ingest` without --raw")
    tracking_uri: str | None = Field(None, description="MLflow server or database; default SQLite in <home>")
    artifacts_uri: str | None = Field(None, description="MLflow artefacts; default a folder in <home>")
    remote: str | None = Field(None, description="DVC remote: folder or s3://bucket/path; default a folder in <home>")
    remote_endpoint_url: str | None = Field(
        None, description="S3-compatible server of that remote; default AWS. Credentials: the usual AWS variables"
    )
    engine: Literal["duckdb", "spark"] = Field(
        "duckdb",
        description="what makes the tables, with equal rows: duckdb, or spark on this machine, which needs Java",
    )
    serving: Path | None = Field(None, description="folder with the releases to serve; default data/serving")
    data_dir: Path = Field(Path("../shared/data"), description="real datasets, for tests and benchmarks only")

    @property
    def parts(self) -> Path:
        """Folder of judged rows, kept so that a raw file is read once."""
        return self.home / "parts"

    @property
    def key_file(self) -> Path:
        """File that holds the pseudonym key when the environment does not."""
        return self.pseudonym_key_file or self.home / "pseudonym.key"

    @property
    def identities(self) -> Path:
        """File of the encrypted map from pseudonyms to users, where one is kept."""
        return self.home / "identities"

    @property
    def access_log(self) -> Path:
        """File that says who touched keys and identities."""
        return self.home / "access.log"


def document() -> str:
    """Every variable as a Markdown table: part of README.md."""
    rows = [f"| `TANDEM_{name.upper()}` | {field.description} |" for name, field in Settings.model_fields.items()]
    return "\n".join(["| variable | what it says |", "|---|---|", *rows])


def quiet() -> None:
    """Apply `QUIET` where the environment says nothing; every entry point calls this first."""
    for name, value in QUIET.items():
        os.environ.setdefault(name, value)
