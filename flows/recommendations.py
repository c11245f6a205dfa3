"""What a source recommends for params.yaml, and when it is taken over.

Reads   sources/<source>.yaml, sources/demo.yaml
Writes  params.yaml
        <home>/recommended/<source>.json    what was recommended at the last ingest

params.yaml alone says what counts (docs/decisions/0003). A recommendation is taken over when the source is switched to,
and again when it changes in the source's file; between the two a value may be changed by hand, and stays.
"""

import io
import json
import logging
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.representer import RoundTripRepresenter

from tandem import files
from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.params import NOT_OF_THE_DEMO, PARAMS, WHOLE
from tandem.settings import Settings

log = logging.getLogger(__name__)

SOURCES = Path("sources")
DEMO = "demo"
NOTED = "recommended"
"""A folder below `Settings.home`."""

Key = tuple[str, ...]
Values = dict[Key, Any]


def switch(source: Source, path: Path = PARAMS) -> None:
    """Let params.yaml name `source` and hold the values it recommends; comments and all else stay as they are.

    Of the values that sources may recommend, those that this one does not are the demo shop's, but for
    NOT_OF_THE_DEMO. Where params.yaml names the source already, only what it recommends otherwise than at the last
    ingest is taken over; of other values that differ it is told that they do.

    Raises:
        SourceError: the source recommends a value for a key that params.yaml does not have, or a time without quotes;
            nothing is written.
    """
    yaml = _yaml()
    before = path.read_text(encoding="utf-8")
    document, own = yaml.load(before), _own(source.name, yaml)
    _check_known(document, own, f"{SOURCES / source.name}.yaml: params.")
    recommended = {**_own(DEMO, yaml), **NOT_OF_THE_DEMO, **own}
    noted, plain = Settings().home / NOTED / f"{source.name}.json", _plain(recommended)
    if document["source"] != source.name:
        log.info("params.yaml: source %s instead of %s, with the values it recommends", source.name, document["source"])
        document["source"] = source.name
        changed = recommended
    else:
        known = files.read_json(noted) if noted.exists() else plain
        changed = {key: recommended[key] for key in recommended if known.get(".".join(key)) != plain[".".join(key)]}
    _set(document, changed)
    _tell_others(document, own, source.name)
    _write(yaml, document, before, path)
    files.write_json(plain, noted)


def _own(name: str, yaml: YAML) -> Values:
    """What the source's file recommends, by key."""
    return _leaves(yaml.load(SOURCES / f"{name}.yaml").get("params", {}))


def _leaves(values: Mapping[str, Any], above: Key = ()) -> Values:
    """Values by their whole key."""
    found: Values = {}
    for name, value in values.items():
        key = (*above, str(name))
        found |= _leaves(value, key) if isinstance(value, Mapping) and name not in WHOLE else {key: value}
    return found


def _check_known(document: Any, values: Values, prefix: str) -> None:
    for key, value in values.items():
        for depth in range(len(key)):
            there = _at(document, key[:depth])
            if not isinstance(there, Mapping) or key[depth] not in there:
                known = f"; there are {', '.join(map(str, there))}" if isinstance(there, Mapping) else ""
                raise SourceError(f"{prefix}{'.'.join(key[: depth + 1])} is no key of params.yaml{known}")
        if isinstance(value, date):
            raise SourceError(f'{prefix}{".".join(key)}: write the time in quotes, such as "2026-07-01T00:00:00Z"')


def _at(document: Any, key: Key) -> Any:
    for name in key:
        document = document[name]
    return document


def _plain(values: Values) -> dict[str, Any]:
    """Values as JSON knows them, by dotted key."""
    return {".".join(key): json.loads(json.dumps(value, default=str)) for key, value in values.items()}


def _set(document: Any, values: Values) -> None:
    """Set each value in place, so that comments and the way a list is written stay."""
    for key, value in values.items():
        there, name = _at(document, key[:-1]), key[-1]
        if there[name] == value:
            continue
        log.info("params.yaml: %s = %s, as recommended", ".".join(key), value)
        if isinstance(value, list) and isinstance(there[name], list):
            there[name][:] = value
        elif isinstance(value, Mapping) and isinstance(there[name], Mapping):
            there[name].clear()
            there[name].update(value)
        else:
            there[name] = value


def _tell_others(document: Any, own: Values, source: str) -> None:
    """Of values that are not as the source recommends, say so: somebody changed them in params.yaml."""
    for key, value in own.items():
        if (there := _at(document, key)) != value:
            said = "params.yaml: %s = %s stays; sources/%s.yaml recommends %s"
            log.info(said, ".".join(key), there, source, value)


def _write(yaml: YAML, document: Any, before: str, path: Path) -> None:
    if document == yaml.load(before):
        return
    out = io.StringIO()
    yaml.dump(document, out)
    partial = path.with_name(f".{path.name}.partial")
    partial.write_text(_moved_back(out.getvalue(), before), encoding="utf-8")
    partial.replace(path)


def _moved_back(text: str, before: str) -> str:
    """Comments of changed lines one space after their value: ruamel.yaml pads them to where a longer value put them."""
    kept = set(before.splitlines())
    lines = (line if line in kept else re.sub(r" {2,}# ", " # ", line) for line in text.splitlines())
    return "\n".join(lines) + "\n"


class _AsWritten(RoundTripRepresenter):
    """Writes nothing as `null`, where ruamel.yaml would leave the place empty."""


_AsWritten.add_representer(type(None), lambda writer, _: writer.represent_scalar("tag:yaml.org,2002:null", "null"))


def _yaml() -> YAML:
    yaml = YAML()
    yaml.Representer = _AsWritten
    yaml.preserve_quotes = True
    yaml.width = 120
    return yaml
