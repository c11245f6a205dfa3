"""The values of params.yaml that hold once a source is ingested: those it recommends, all others as they are."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from tandem.data.sources import Source
from tandem.params import NOT_OF_THE_DEMO, PARAMS, WHOLE, IngestParams, Section, ValidateParams, read_source

Some = TypeVar("Some", bound=Section)


def params(
    source: Source, ingest: IngestParams, validate: ValidateParams | None, path: Path = PARAMS
) -> tuple[IngestParams, ValidateParams]:
    """What `tandem ingest` and the judging of a snapshot will obey.

    Args:
        source: may recommend values.
        ingest: as it stands in params.yaml.
        validate: the same; by default it is read from `path`.
        path: of params.yaml. A source that it does not name yet and that recommends no `as_of` gets `now`.

    Raises:
        ParamsError: a value does not fit.
    """
    judging = validate or ValidateParams.read(path)
    if not path.exists() or read_source(path) != source.name:
        others = {key: value for (section, key), value in NOT_OF_THE_DEMO.items() if section == judging.section}
        judging = judging.model_copy(update=others)
    cleaning, privacy = _with(ingest.cleaning, source), _with(ingest.privacy, source)
    return IngestParams(cleaning, privacy), _with(judging, source)


def _with(section: Some, source: Source) -> Some:
    """The section with what the source recommends of it."""
    given = source.params.get(section.section)
    if not given:
        return section
    return type(section).parse(_merged(section.model_dump(), given), f"source {source.name}, `params`")


def _merged(values: dict[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    """The values with those given in their places."""
    deep = {
        key: _merged(values[key], value)
        for key, value in given.items()
        if isinstance(value, Mapping) and isinstance(values.get(key), Mapping) and key not in WHOLE
    }
    return {**values, **given, **deep}
