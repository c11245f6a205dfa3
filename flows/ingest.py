"""Take a shop's raw files in: the one entrance for data.

Reads   the shop's folder or file, sources/<source>.yaml
Writes  data/raw/<source>/… and its .dvc file, data/truth/demo/ for the demo shop,
        data/raw/key_id.txt     which pseudonym key the data is registered with
        data/raw/as_of.txt      when raw files last came in
        data/accepted/manifest.json, and `source` with what it recommends in params.yaml

Raw files only ever come in: one that is there already must have the same bytes.
"""

import filecmp
import logging
import os
import shutil
from collections.abc import Mapping
from datetime import UTC, datetime
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from prefect import flow
from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from flows import prepare, versions
from tandem import demo, files
from tandem.data import privacy
from tandem.data.sources import Block, Picture, Source
from tandem.errors import SourceError
from tandem.params import PARAMS, read_source
from tandem.settings import Settings

log = logging.getLogger(__name__)

SOURCES = Path("sources")
RAW = Path("data/raw")
KEY_ID = RAW / "key_id.txt"
AS_OF = RAW / "as_of.txt"
TRUTH = Path("data/truth")
SNAPSHOT = Path("data/snapshot/manifest.json")
ACCEPTED = Path("data/accepted/manifest.json")
OPTIONAL = (ACCEPTED.parent, Path("data/champion"))
"""Inputs of the pipeline that may be empty, but must be there for DVC."""

DEMO = "demo"
DEMO_SEED = 7


@flow(name="ingest")
def ingest(source: str | None = None, raw: Path | None = None) -> None:
    """Bring raw files under `data/raw/<source>` and under DVC's care.

    Args:
        source: name of a file of sources/; by default the one in params.yaml, which is switched otherwise.
        raw: the shop's export, a folder or one file; by default `Settings.inbox`, else what was taken in before. The
            demo shop makes its own.

    Raises:
        SourceError: no such source, nothing to read, or a file that came before with other content.
        SettingsError: the data was registered with another pseudonym key than the one at hand.
    """
    settings = prepare()
    name = source or read_source()
    described = Source.read(SOURCES / f"{name}.yaml")
    arriving = _arriving(described, raw or settings.inbox)
    register_key(settings)
    switch(described)
    for folder in OPTIONAL:
        _keep(folder)
    keep_accepted(name, new=bool(arriving))
    if arriving or not AS_OF.exists():
        _write_text(AS_OF, datetime.now(UTC).isoformat())
    for path, target in arriving.items():
        _copy(path, target)
    if name == DEMO and not (RAW / DEMO).exists():
        make_demo(RAW / DEMO, TRUTH / DEMO)
    versions.add(RAW / name)
    log.info("%s: %d new raw files, %d in all", name, len(arriving), sum(p.is_file() for p in (RAW / name).rglob("*")))


def switch(source: Source, path: Path = PARAMS) -> None:
    """Let params.yaml name `source` and hold the values it recommends; comments and all else stay as they are.

    Raises:
        SourceError: the source recommends a value for a key that params.yaml does not have; nothing is written.
    """
    yaml = _yaml()
    document = yaml.load(path)
    if document["source"] == source.name:
        return
    log.info("params.yaml: source %s instead of %s, with the values it recommends", source.name, document["source"])
    document["source"] = source.name
    described = SOURCES / f"{source.name}.yaml"
    _merge(document, yaml.load(described).get("params", {}), f"{described}: params.")
    partial = path.with_name(f".{path.name}.partial")
    yaml.dump(document, partial)
    partial.replace(path)


class _AsWritten(RoundTripRepresenter):
    """Writes nothing as `null`, where ruamel.yaml would leave the place empty."""


_AsWritten.add_representer(type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null"))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.Representer = _AsWritten
    yaml.preserve_quotes = True
    yaml.width = 120
    return yaml


def _merge(values: Any, recommended: Mapping[str, Any], prefix: str) -> None:
    """Set each recommended value in place, so that comments and the way a list is written stay."""
    for key, value in recommended.items():
        if key not in values:
            raise SourceError(f"{prefix}{key} is no key of params.yaml; there are {', '.join(map(str, values))}")
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping):
            _merge(values[key], value, f"{prefix}{key}.")
        elif values.get(key) != value:
            log.info("%s%s = %s", prefix, key, value)
            if isinstance(value, list) and isinstance(values.get(key), list):
                values[key][:] = value
            else:
                values[key] = value


def register_key(settings: Settings) -> None:
    """Tie data to the pseudonym key at hand; where there is neither data nor key, a new key is made.

    Raises:
        SettingsError: data was registered with another key.
    """
    if KEY_ID.exists():
        privacy.registered_key(settings, KEY_ID)
    else:
        _write_text(KEY_ID, privacy.key_id(privacy.ensure_key(settings)))


def keep_accepted(source: str, *, new: bool) -> None:
    """Remember the accepted snapshot before new files change it: `stages.validate` compares volumes with it.

    Without new files nothing changes, so that a rerun finds the same inputs. A manifest of another source is dropped.
    """
    if new and SNAPSHOT.exists() and files.read_json(SNAPSHOT)["source"] == source:
        _copy(SNAPSHOT, ACCEPTED)
    elif ACCEPTED.exists() and files.read_json(ACCEPTED)["source"] != source:
        ACCEPTED.unlink()


def make_demo(raw: Path, truth: Path) -> None:
    """Generate the demo shop's exports and, apart from them, the truth they were made from; all or nothing."""
    partial = {folder: folder.with_name(f".{folder.name}.partial") for folder in (truth, raw)}
    for folder in (*partial.values(), truth, raw):
        shutil.rmtree(folder, ignore_errors=True)
    demo.generate(partial[raw], partial[truth], demo.DemoSize(), DEMO_SEED)
    for folder, made in partial.items():  # the raw files last: where they are, all is there
        made.replace(folder)


def _arriving(source: Source, raw: Path | None) -> dict[Path, Path]:
    """Files that are not in data/raw yet, and where each goes.

    Raises:
        SourceError: nothing there that the source reads, or a file that came before with other content.
    """
    folder = RAW / source.name
    if raw is None:
        if source.name != DEMO and not folder.is_dir():
            raise SourceError(f"source {source.name} has no raw files yet: name their folder (RAW=… or --raw …)")
        return {}
    readable = _read_by(source, raw)
    base = raw if raw.is_dir() else raw.parent
    targets = {path: folder / path.relative_to(base) for path in readable}
    new = {path: target for path, target in targets.items() if not target.exists()}
    for path, target in targets.items():
        if path not in new and not _same(path, target):
            raise SourceError(f"{path} differs from {target}, which came before: raw files never change; rename it")
    return new


def _read_by(source: Source, raw: Path) -> list[Path]:
    """Files of the shop's export that the source reads, in order."""
    patterns = _patterns(source)
    try:
        if not raw.exists():
            raise SourceError(f"raw data {raw} does not exist")
        if raw.is_dir():
            for _ in os.walk(raw, onerror=_raise):  # glob is silent about a folder that may not be read
                pass
            found = {path for pattern in patterns for path in raw.glob(pattern) if path.is_file()}
        else:
            found = {raw} if any(fnmatch(raw.name, Path(pattern).name) for pattern in patterns) else set()
    except OSError as error:
        raise SourceError(f"raw data {raw} cannot be read: {error.strerror}") from None
    visible = sorted(path for path in found if not path.name.startswith("."))
    if not visible:
        raise SourceError(f"raw data {raw} has no file that source {source.name} reads: {', '.join(patterns)}")
    return visible


def _raise(error: OSError) -> None:
    raise error


def _patterns(source: Source) -> list[str]:
    blocks: list[Block] = [block for found in source.blocks.values() for block in found]
    pictures = [cell.archive for block in blocks for cell in block.columns.values() if isinstance(cell, Picture)]
    return sorted({*(block.files for block in blocks), *pictures})


def _same(path: Path, other: Path) -> bool:
    try:
        return filecmp.cmp(path, other, shallow=False)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None


def _copy(path: Path, target: Path) -> None:
    """Copy a file's bytes, all or nothing."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    try:
        shutil.copyfile(path, partial)
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from None
    partial.replace(target)


def _keep(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".gitkeep").touch()


def _write_text(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n", encoding="ascii")
