"""Where DVC stores what it is given to keep: the settings' remote, written into DVC's own configuration."""

import configparser
import logging
from pathlib import Path
from urllib.parse import urlsplit

from tandem.errors import SettingsError
from tandem.settings import Settings

log = logging.getLogger(__name__)

CONFIG = Path(".dvc/config")
COMMITTED_REMOTE = "../.tandem/dvc"  # relative to .dvc/
OURS = "tandem"  # name of the remote that the settings make, in .dvc/config.local
CREDENTIALS = "credentials come from AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or the files and roles of AWS"


def use(settings: Settings) -> None:
    """Let DVC's default remote on this machine be what the settings say, in `.dvc/config.local`.

    `Settings.remote` comes first, then what DVC's own configuration names, then a folder in `Settings.home`.
    Credentials are never written: DVC finds them where AWS's tools do.

    Raises:
        SettingsError: the remote is neither a folder nor an S3 address, or an address holds credentials.
    """
    from dvc.config import Config

    wanted = _wanted(settings)
    config = Config(str(CONFIG.parent))
    local = config.load_one("local")
    if (local["remote"].get(OURS), local["core"].get("remote") == OURS) == (wanted, wanted is not None):
        return
    with config.edit("local") as edited:
        if wanted:
            edited["remote"][OURS] = wanted
            edited["core"]["remote"] = OURS
        else:
            edited["remote"].pop(OURS, None)
            if edited["core"].get("remote") == OURS:
                del edited["core"]["remote"]
    log.info("DVC remote: %s", address())


def address() -> str:
    """Address of the default remote as configured, in the project or on this machine; relative to `.dvc`."""
    config = _configuration()
    name = config.get("core", "remote")
    return config.get(f"'remote \"{name}\"'", "url")


def _wanted(settings: Settings) -> dict[str, str] | None:
    """Our remote in DVC's words; None where DVC's own configuration stands."""
    if settings.remote is None:
        folder = settings.home.resolve() / "dvc"
        committed = (CONFIG.parent / COMMITTED_REMOTE).resolve()
        return None if folder == committed or _own_remote() != COMMITTED_REMOTE else {"url": str(folder)}
    if "://" not in settings.remote:
        return {"url": str(Path(settings.remote).resolve())}
    _plain("TANDEM_REMOTE", settings.remote, ("s3",), "a folder or s3://bucket/path")
    if settings.remote_endpoint_url is None:
        return {"url": settings.remote}
    _plain("TANDEM_REMOTE_ENDPOINT_URL", settings.remote_endpoint_url, ("http", "https"), "http(s)://host:port")
    return {"url": settings.remote, "endpointurl": settings.remote_endpoint_url}


def _plain(variable: str, given: str, schemes: tuple[str, ...], fits: str) -> None:
    """An address that may be written down.

    Raises:
        SettingsError: it has another scheme, no host, or holds credentials.
    """
    parts = urlsplit(given)
    if "@" in parts.netloc or parts.query:
        raise SettingsError(f"{variable} holds more than an address; expected {fits}; {CREDENTIALS}")
    if parts.scheme not in schemes or not parts.netloc:
        raise SettingsError(f"{variable} = {given}: expected {fits}; DVC itself takes others (`dvc remote add -d`)")


def _own_remote() -> str:
    """Address of the default remote as DVC would have it without ours."""
    config = _configuration()
    name = config.get("core", "remote")
    if name == OURS:
        name = _configuration(local=False).get("core", "remote")
    return config.get(f"'remote \"{name}\"'", "url")


def _configuration(*, local: bool = True) -> configparser.ConfigParser:
    config = configparser.ConfigParser(interpolation=None)
    config.read([CONFIG, CONFIG.with_suffix(".local")] if local else [CONFIG], encoding="utf-8")
    return config
