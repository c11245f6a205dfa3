"""One place for columns."""

from pathlib import Path

from tandem.data import schema


def test_the_document_of_tables_is_up_to_date(root: Path) -> None:
    """Make it again with `python -m tandem.data.schema > docs/data.md`."""
    assert (root / "docs" / "data.md").read_text() == schema.document() + "\n"


def test_keys_are_columns_that_are_never_missing() -> None:
    for table in schema.TABLES.values():
        columns = {column.name: column for column in table.columns}
        assert all(not columns[name].nullable for name in table.key)
