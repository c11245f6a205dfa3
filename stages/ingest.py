"""Turn a shop's raw files into canonical tables; every raw row is accounted for.

Reads   data/raw/<source>/…                     as the shop exported them
        sources/<source>.yaml                   tandem.data.sources.Source
        data/raw/key_id.txt                     which pseudonym key the data was registered with
Writes  data/canonical/{products,events,reviews,users,relations,refused}.parquet    tandem.data.schema
        reports/ingest.json                     rows in = kept + duplicates + refused, by file
Params  none: what a source needs stands in its YAML

User ids leave as pseudonyms. The key that makes them comes from the environment or the local key file.
"""

from pathlib import Path

from stages import run
from tandem import files
from tandem.data import canonical, privacy, schema
from tandem.data.sources import Source
from tandem.settings import Settings


def main(raw: Path, source: Path, key_id: Path, tables: Path, report: Path) -> None:
    """Write every canonical table into the folder `tables`, and the account of all rows as `report`.

    Raises:
        SourceError: the raw files are not as the source describes them.
        SettingsError: there is no pseudonym key, or it is not the one that the data was registered with.
    """
    key = privacy.registered_key(Settings(), key_id)
    made = canonical.make(Source.read(source), raw, key)
    for name, frame in made.tables.items():
        files.write(frame, tables / f"{name}.parquet", schema.TABLES[name])
    files.write_json(made.report, report)


if __name__ == "__main__":
    run(main)
