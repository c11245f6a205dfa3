"""Turn a shop's raw files into canonical tables; every raw row is accounted for.

Reads   data/raw/<source>/…                     as the shop exported them
        sources/<source>.yaml                   tandem.data.sources.Source
        data/raw/key_id.txt                     which pseudonym key the data was registered with
Writes  data/canonical/{products,events,reviews,users,relations,refused}.parquet    tandem.data.schema
                                                of events a folder: a file for each month
        reports/ingest.json                     rows in = kept + duplicates + refused, by file
Params  cleaning, privacy                       tandem.params.IngestParams

User ids leave as pseudonyms. The key that makes them comes from the environment or the local key file.
"""

import shutil
from pathlib import Path

import pyarrow as pa

from stages import leave, run
from tandem import files
from tandem.data import canonical
from tandem.data.sources import Source
from tandem.params import IngestParams
from tandem.privacy import identities, pseudonyms
from tandem.settings import Settings


def main(raw: Path, source: Path, key_id: Path, tables: Path, report: Path) -> None:
    """Write every canonical table into the folder `tables`, and the account of all rows as `report`.

    Raises:
        SourceError: the raw files are not as the source describes them.
        SettingsError: there is no pseudonym key, or it is not the one that the data was registered with.
    """
    settings, params, described = Settings(), IngestParams.read(), Source.read(source)
    key, parts = pseudonyms.registered_key(settings, key_id), settings.parts / described.name
    if not params.privacy.keep_identities:
        made = canonical.make(described, raw, key, tables, parts, params, engine_name=settings.engine)
    else:
        identities.ready(settings)
        if not settings.identities.exists():  # every user has to be read
            shutil.rmtree(parts, ignore_errors=True)
        people: list[tuple[pa.Array, pa.Array]] = []
        try:
            made = canonical.make(
                described, raw, key, tables, parts, params, lambda *met: people.append(met), settings.engine
            )
        finally:  # what was read is not read again
            identities.keep(settings, pseudonyms.key_id(key), people)
    files.write_json(made, report)


if __name__ == "__main__":
    run(main)
    leave()
