import json

import pytest

from tandem.data import exports
from tandem.data.blocks import Block
from tandem.data.exports import Export
from tandem.data.readers import texts
from tandem.data.sources import Source
from tandem.errors import SourceError

PRODUCTS = {"files": "p.*", "format": "csv", "columns": {"product_id": "id"}}


@pytest.fixture
def read(tmp_path, shop):
    """Rows of a file that is read as a block of products."""

    def ask(name: str, content: str | bytes, **changes):
        path = tmp_path / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        block = Source.model_validate(shop | {"products": [PRODUCTS | changes]}).products[0]
        return rows(Export(name, path), block)

    return ask


def rows(export: Export, block: Block) -> list[dict]:
    exports.check(exports.header(export, block), export, block)
    found = []
    for batch in exports.batches(export, block):
        problems = batch.problems.to_pylist() if batch.problems is not None else [None] * batch.cells.num_rows
        found += [{"problem": p, "raw": raw} for p, raw in zip(problems, batch.cells.to_pylist(), strict=True)]
    return found


def test_every_cell_is_text_as_it_came(read) -> None:
    found = read("p.csv", 'id,price\n007, 1.50\n"a,""b""",\n')
    assert found == [
        {"problem": None, "raw": {"id": "007", "price": " 1.50"}},
        {"problem": None, "raw": {"id": 'a,"b"', "price": ""}},
    ]


def test_a_csv_may_have_another_encoding_delimiter_and_a_byte_order_mark(read) -> None:
    assert read("p.csv", "id;n\n1;岁\n".encode("gb18030"), encoding="gbk", delimiter=";")[0]["raw"]["n"] == "岁"
    assert read("p.csv", b"\xef\xbb\xbfid\n1\n")[0]["raw"] == {"id": "1"}


def test_lines_within_a_cell_and_blank_lines_are_no_rows(read) -> None:
    assert [row["raw"]["id"] for row in read("p.csv", 'id,n\n"a\nb",1\n\nc,2\n')] == ["a\nb", "c"]


def test_cells_of_a_row_that_does_not_fit_the_header_are_withheld(read) -> None:
    found = read("p.csv", "id,n\na,b,user-17850\nc\nd,1\n")
    assert [row["problem"] for row in found] == [
        "3 cells where the header has 2",
        "1 cells where the header has 2",
        None,
    ]
    assert [row["raw"]["id"] for row in found] == [None, None, "d"]


def test_numbers_of_json_lines_stay_as_they_are_written(read) -> None:
    lines = ['{"id": 17850.0, "n": 1e3, "t": true, "l": ["a", 1]}', "", '{"id": "b", "n": null}']
    found = [row["raw"] for row in read("p.jsonl", "\n".join(lines), format="jsonl")]
    assert found[0] == {"id": "17850.0", "n": "1e3", "t": "true", "l": '["a", "1"]'}
    assert found[1] == {"id": "b", "n": None, "t": None, "l": None}


def test_a_line_that_is_no_json_object_is_a_row_with_a_problem(read) -> None:
    found = read("p.jsonl", '{"id": "a"}\n{"id": \n[1]\n{"id": "\\ud800"}\n', format="jsonl")
    assert [row["problem"] is None for row in found] == [True, False, False, False]
    assert "Expecting value" in found[1]["problem"]
    assert found[2]["problem"] == "a JSON list where an object is expected"
    assert "unreadable text" in found[3]["problem"]


@pytest.mark.parametrize(
    ("name", "content", "changes", "said"),
    [
        ("p.csv", 'id,n\n1,"a\nb"\n2,"x\n3,y\n', {}, "unexpected end of data, in the row that begins in line 4"),
        ("p.csv", 'id,n\n1,"x\n2,y\n3,"z"\n', {}, "',' expected after '\"', in the row that begins in line 2"),
        ("p.csv", "", {}, "is empty: it has no header"),
        ("p.csv", "id,ID\n1,2\n", {}, "columns `id`, `ID` have the same name but for capitals"),
        (
            "p.csv",
            b"id\n\xff\n",
            {},
            "is in none of the encodings tried: utf-8 (byte 3: invalid start byte), gb18030 (byte 3",
        ),
        ("p.xlsx", "PK no workbook", {"format": "excel"}, "cannot be read as an Excel workbook"),
        ("p.jsonl", "[]\n", {"format": "jsonl"}, "holds no JSON object"),
        ("p.jsonl", b'{"id": "\xe9"}', {"format": "jsonl", "encoding": "utf-8"}, "is not utf-8: byte 8"),
    ],
)
def test_a_file_that_is_not_as_described_is_one_clear_sentence(read, name, content, changes, said) -> None:
    with pytest.raises(SourceError) as caught:
        read(name, content, **changes)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_that_lacks_a_column_says_which_and_what_it_has(read) -> None:
    block = {"columns": {"product_id": "id", "title": "name"}}
    with pytest.raises(SourceError, match="has no column `id`, which the source's products need; it has name, price"):
        read("p.csv", "name,price\n", **block)


@pytest.mark.parametrize("row", ["17850,a@b.example", "17850,17850", "a@b.example,A@B.example"])
def test_a_file_without_header_does_not_tell_its_first_row(read, row) -> None:
    with pytest.raises(SourceError, match=r"its first line names none of the columns `id`.*has it a header") as caught:
        read("p.csv", f"{row}\n{row}\n")
    assert "17850" not in str(caught.value)
    assert "example" not in str(caught.value)


def find(shop, folder):
    return exports.find(Source.model_validate(shop), folder)


def test_files_are_found_in_order_of_their_names_and_the_others_are_told(tmp_path, shop) -> None:
    for name in ("events-2.csv", "events-10.csv", "sub/events-1.csv", "LICENSE", ".gitignore"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    shop["events"][0]["files"] = "**/events*.csv"
    found = find(shop, tmp_path)
    assert [e.name for e in found.of["events"][0][1]] == ["events-10.csv", "events-2.csv", "sub/events-1.csv"]
    assert found.unmapped == ["LICENSE"]


def test_a_picture_archive_is_read_by_someone_and_must_be_there(tmp_path, shop) -> None:
    (tmp_path / "events.csv").touch()
    (tmp_path / "p.csv").touch()
    shop["products"] = [PRODUCTS | {"columns": {"product_id": "id", "image": {"archive": "p.zip", "column": "file"}}}]
    shop["products"][0]["files"] = "p.csv"
    with pytest.raises(SourceError, match=r"no picture archive p\.zip among the raw files"):
        find(shop, tmp_path)
    (tmp_path / "p.zip").touch()
    assert find(shop, tmp_path).unmapped == []


def test_a_missing_folder_and_missing_files_are_one_clear_sentence(tmp_path, shop) -> None:
    with pytest.raises(SourceError, match="nowhere is not a folder"):
        find(shop, tmp_path / "nowhere")
    with pytest.raises(SourceError, match=r"no file that matches `events\*\.csv`, .* it has no file at all"):
        find(shop, tmp_path)
    (tmp_path / "orders.csv").touch()
    with pytest.raises(SourceError, match=r"it has orders\.csv"):
        find(shop, tmp_path)


def test_one_file_is_not_read_twice_for_one_table(tmp_path, shop) -> None:
    (tmp_path / "events.csv").touch()
    shop["events"] *= 2
    with pytest.raises(SourceError, match=r"two blocks of events match the same file: events\.csv"):
        find(shop, tmp_path)


def test_json_text_that_comes_back_is_json() -> None:
    assert json.loads(texts.text({"a": ["岁", None]})) == {"a": ["岁", None]}


def test_the_header_is_that_of_the_batches_after_the_shapes(tmp_path, shop) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "p.csv").write_text('id,tags\n1,"[4, 5]"\n2,[]\n')
    (tmp_path / "titles.csv").write_text("title\nTea\nRice\n")
    changes = {"columns": {"product_id": "tags", "title": "title"}, "beside": ["titles.csv"], "explode": ["tags"]}
    block = Source.model_validate(shop | {"products": [PRODUCTS | changes]}).products[0]
    export = Export("sub/p.csv", tmp_path / "sub" / "p.csv")
    assert exports.header(export, block) == ["id", "tags", "title"]
    found = [row["raw"] for row in rows(export, block)]
    assert found == [{"id": "1", "tags": "4", "title": "Tea"}, {"id": "1", "tags": "5", "title": "Tea"}]
    (tmp_path / "titles.csv").unlink()
    with pytest.raises(SourceError, match=r"has no files that match `titles\.csv`, which is put to sub/p\.csv"):
        exports.header(export, block)


def test_a_file_that_is_put_to_others_is_read_by_someone(tmp_path, shop) -> None:
    for name in ("events.csv", "p.csv", "titles.csv", "names.csv", "else.csv"):
        (tmp_path / name).touch()
    join = {"files": "names.csv", "by": "id"}
    shop["products"] = [PRODUCTS | {"files": "p.csv", "beside": ["titles.csv"], "join": join}]
    assert find(shop, tmp_path).unmapped == ["else.csv"]


def test_a_column_that_some_files_may_lack_is_not_missed(tmp_path, shop) -> None:
    block = PRODUCTS | {"columns": {"product_id": "id", "title": "t"}, "may_have": ["t"]}
    block = Source.model_validate(shop | {"products": [block]}).products[0]
    exports.check(["id"], Export("p.csv", tmp_path / "p.csv"), block)
    with pytest.raises(SourceError, match="names none of the columns `id`"):
        exports.check(["t"], Export("p.csv", tmp_path / "p.csv"), block)
