import codecs

import pytest

from tandem.data import exports
from tandem.data.readers import encodings
from tandem.errors import SourceError

TEXT = "id,n\n1,岁以上的商品\n"


@pytest.mark.parametrize("name", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "gbk", "gb18030"])
@pytest.mark.parametrize("size", [4, 2**22])
def test_the_encoding_is_found_by_looking(ask, monkeypatch, name, size) -> None:
    monkeypatch.setattr(encodings, "BLOCK", size)
    assert ask("p.csv", TEXT.encode(name)) == [{"id": "1", "n": "岁以上的商品"}]


def test_utf16_of_either_order_has_its_mark_taken_off(ask) -> None:
    assert ask("p.csv", codecs.BOM_UTF16_BE + TEXT.encode("utf-16-be"))[0]["id"] == "1"
    assert ask("p.csv", codecs.BOM_UTF16_LE + TEXT.encode("utf-16-le"), encoding="utf-16-le")[0]["id"] == "1"


def test_a_late_byte_decides_for_the_whole_file(ask, monkeypatch) -> None:
    monkeypatch.setattr(encodings, "BLOCK", 16)
    plain = "id,n\n" + "1,x\n" * 100
    assert ask("p.csv", (plain + "2,岁以上\n").encode("gbk"))[-1] == {"id": "2", "n": "岁以上"}


def test_western_letters_are_not_taken_for_chinese(ask) -> None:
    """`Müller` in Windows-1252 is valid GB 18030: M黮ler."""
    wrong = "id,n\n1,Müller\n".encode("cp1252")
    assert wrong.decode("gb18030") == "id,n\n1,M黮ler\n"
    with pytest.raises(SourceError) as caught:
        ask("p.csv", wrong)
    assert "tried: utf-8 (byte 8: invalid" in str(caught.value)
    assert "gb18030 (too few common characters for Chinese text)" in str(caught.value)
    assert "sets `encoding`, such as cp1252" in str(caught.value)
    assert ask("p.csv", wrong, encoding="cp1252") == [{"id": "1", "n": "Müller"}]


@pytest.mark.parametrize("size", [4, 7, 2**22])
@pytest.mark.parametrize(
    ("name", "content", "place"),
    [
        ("utf-8", "id\n岁岁岁".encode() + b"\xff", 12),
        ("utf-8", "id\n岁岁岁".encode()[:-1], 9),
        ("gb18030", "id\n岁岁".encode("gbk") + b"\xff", 7),
        ("utf-16", "id\n岁".encode("utf-16") + b"\x00", 10),
    ],
)
def test_a_named_encoding_is_checked_to_the_last_byte(ask, monkeypatch, size, name, content, place) -> None:
    monkeypatch.setattr(encodings, "BLOCK", size)
    with pytest.raises(SourceError, match=rf"is not {name}: byte {place} cannot be read .*sets `encoding`"):
        ask("p.csv", content, encoding=name)


def test_a_changed_file_is_looked_at_again(ask) -> None:
    assert ask("p.csv", TEXT.encode("gbk")) == ask("p.csv", TEXT.encode())


def test_only_line_breaks_break_lines(ask) -> None:
    text = '{"id": "a\u2028b\u0085c"}\r\n{"id": "d"}\r{"id": "e"}'
    assert [row["id"] for row in ask("p.jsonl", text, format="jsonl")] == ["a\u2028b\u0085c", "d", "e"]


@pytest.mark.real_data("jdata")
def test_the_users_of_jdata_are_gbk(real_data, block) -> None:
    people = block(columns={"product_id": "user_id"})
    export = exports.Export("JData_User.csv", real_data / "JData_User.csv")
    found = [cell for batch in exports.batches(export, people) for cell in batch.cells["age"].to_pylist()]
    assert encodings.detect(export) == "gb18030"
    assert {"-1", "16-25岁", "56岁以上"} <= set(found)
