import csv
import io

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.data import exports
from tandem.data.readers import delimited, encodings
from tandem.errors import SourceError

SETTINGS = settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
BROKEN = "broken"


def by_the_book(text: str, width: int, delimiter: str) -> list:
    """Python's strict reader over the whole text: the rows that a file holds, up to a quote out of place."""
    found: list = []
    try:
        for line in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True):
            if line:
                found.append(line if len(line) == width else f"{len(line)} cells where the header has {width}")
    except csv.Error:
        return [BROKEN]
    return found


def read(ask, text: str, **changes) -> list:
    try:
        found = ask("p.csv", text, header=["id", "n"], **changes)
    except SourceError as error:
        return [BROKEN if "cannot be read as CSV" in str(error) else str(error)]
    return [row if isinstance(row, str) else list(row.values()) for row in found]


@SETTINGS
@given(text=st.text('ab"",,\r\n岁', min_size=1, max_size=60), size=st.sampled_from([4, 16, 4096]))
def test_any_text_gives_the_rows_of_the_strict_reader(ask, monkeypatch, text, size) -> None:
    monkeypatch.setattr(encodings, "BLOCK", size)
    assert read(ask, text) == by_the_book(text, 2, ",")


CELLS = st.text(st.sampled_from(list('ab ",;\n\r岁\t=+|')), max_size=6)


@SETTINGS
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=12),
    style=st.sampled_from([(csv.QUOTE_MINIMAL, "\r\n"), (csv.QUOTE_ALL, "\n"), (csv.QUOTE_ALL, "\r")]),
    delimiter=st.sampled_from([",", ";", "\t", "|", "§"]),
    size=st.sampled_from([4, 16, 64]),
)
def test_what_a_writer_wrote_comes_back_cell_for_cell(ask, monkeypatch, rows, style, delimiter, size) -> None:
    monkeypatch.setattr(encodings, "BLOCK", size)
    out, (quoting, end) = io.StringIO(), style
    csv.writer(out, lineterminator=end, quoting=quoting, delimiter=delimiter).writerows([("id", "n"), *rows])
    found = ask("p.csv", out.getvalue(), delimiter=delimiter)
    assert [tuple(row.values()) for row in found] == rows


def test_rows_without_a_flaw_go_to_arrow_and_others_to_the_strict_reader(ask, monkeypatch) -> None:
    monkeypatch.setattr(encodings, "BLOCK", 64)
    seen = []
    real = delimited._arrow
    monkeypatch.setattr(delimited, "_arrow", lambda piece, *rest: seen.append(piece) or real(piece, *rest))
    lines = [f"{n},x{n}\n" for n in range(100)]
    lines[40] = '40,5" pipe\n'
    found = ask("p.csv", "id,n\n" + "".join(lines))
    assert [row["n"] for row in found] == [f"x{n}" if n != 40 else '5" pipe' for n in range(100)]
    assert sum(piece.count(b"\n") for piece in seen) > 70  # and back to Arrow behind the quote


def test_a_flaw_is_told_in_its_row_and_its_line_wherever_the_pieces_end(ask, monkeypatch) -> None:
    monkeypatch.setattr(encodings, "BLOCK", 64)
    lines = [f"{n},x{n}\n" for n in range(100)]
    lines[70] = "70\n"
    assert ask("p.csv", "id,n\n" + "".join(lines))[70] == "1 cells where the header has 2"
    lines[80] = '80,"a"b\n'
    with pytest.raises(SourceError, match=r"in the row that begins in line 82$"):
        ask("p.csv", "id,n\n" + "".join(lines))


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_every_kind_of_line_end_ends_a_line(ask, end) -> None:
    assert ask("p.csv", end.join(["id,n", "1,a", "", "2,b"])) == [{"id": "1", "n": "a"}, {"id": "2", "n": "b"}]


def test_a_last_line_cut_short_is_a_row_with_a_problem(ask) -> None:
    assert ask("p.csv", "id,n,m\n1,2,3\n4,5") == [{"id": "1", "n": "2", "m": "3"}, "2 cells where the header has 3"]


def test_a_row_with_a_nul_has_a_problem_and_a_header_with_one_is_no_text(ask) -> None:
    assert ask("p.csv", "id,n\na\0,b\nc,d\n") == ["a cell holds a NUL character", {"id": "c", "n": "d"}]
    with pytest.raises(SourceError, match="holds NUL characters"):
        ask("p.csv", "id\n1\n".encode("utf-16-le"), encoding="utf-8")


def test_formulas_are_text(ask) -> None:
    for cell in ('=HYPERLINK("http://x.example")', "+cmd|' /C calc'!A0", "@SUM(A1)", "-1+1"):
        quoted = '"' + cell.replace('"', '""') + '"'
        assert ask("p.csv", f"id\n{quoted}\n") == [{"id": cell}]


def test_a_header_alone_is_no_rows_and_an_empty_file_is_an_error(ask) -> None:
    assert ask("p.csv", "id,n\n") == []
    assert ask("p.csv", '\n\n"id",n') == []
    for nothing in ("", "\n\r\n", "\ufeff"):
        with pytest.raises(SourceError, match="is empty: it has no header"):
            ask("p.csv", nothing)
    with pytest.raises(SourceError, match="is empty"):
        ask("p.csv", "", header=["id"])


def test_a_byte_order_mark_within_the_file_is_text(ask, monkeypatch) -> None:
    monkeypatch.setattr(encodings, "BLOCK", 8)
    assert [row["id"] for row in ask("p.csv", "\ufeffid\n" + "\ufeffab\n" * 5)] == ["\ufeffab"] * 5


def test_a_file_without_header_takes_the_names_it_is_given(ask) -> None:
    assert ask("p.csv", "1,a\n", header=["id", "n"]) == [{"id": "1", "n": "a"}]


def test_typed_names_lose_their_types(ask) -> None:
    assert ask("p.inter", "id:token\tn:token_seq\n1\ta b\n", format="typed") == [{"id": "1", "n": "a b"}]
    with pytest.raises(SourceError, match="name 2 of its first line has no type"):
        ask("p.inter", "id:token\tn\n", format="typed")


@pytest.mark.parametrize("field", ['1,"{}"\n', "1,{}\n", '1,"{}', "1,{}"])
def test_a_gigantic_field_is_one_sentence(ask, monkeypatch, field) -> None:
    monkeypatch.setattr(encodings, "MAX_LINE", 2**16)
    monkeypatch.setattr(encodings, "BLOCK", 2**14)
    with pytest.raises(SourceError, match=r"line of more than 65,536 bytes|field larger than field limit \(65536\)"):
        ask("p.csv", "id,n\n" + field.format("x" * 300_000))


def test_batches_are_bounded_in_rows(tmp_path, block) -> None:
    path = tmp_path / "p.csv"
    path.write_text("id\n" + "1\n" * 200_000)
    sizes = [batch.cells.num_rows for batch in exports.batches(exports.Export("p.csv", path), block())]
    assert sum(sizes) == 200_000
    assert max(sizes) <= 65_536


@pytest.mark.real_data("movielens_100k")
def test_typed_files_of_movielens(real_data, block) -> None:
    export = exports.Export("ml-100k.inter", real_data / "ml-100k.inter")
    ratings = block(format="typed", columns={"product_id": "item_id"})
    batches = list(exports.batches(export, ratings))
    assert exports.header(export, ratings) == ["user_id", "item_id", "rating", "timestamp"]
    assert sum(batch.cells.num_rows for batch in batches) == 100_000
    assert len({user for batch in batches for user in batch.cells["user_id"].to_pylist()}) == 943
