import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tandem.data.readers import encodings
from tandem.errors import SourceError

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5), lambda inner: st.lists(inner, max_size=3)
)


@settings(max_examples=100, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    objects=st.lists(st.dictionaries(st.sampled_from(["id", "n", "岁"]), VALUES, min_size=1), min_size=1),
    indent=st.sampled_from([None, 2]),
    size=st.sampled_from([5, 64, 4096]),
)
def test_a_list_and_lines_of_the_same_objects_give_the_same_rows(ask, monkeypatch, objects, indent, size) -> None:
    monkeypatch.setattr(encodings, "BLOCK", size)
    as_list = json.dumps(objects, ensure_ascii=False, indent=indent)
    lines = "\n".join(json.dumps(found, ensure_ascii=False) for found in objects)
    assert ask("p.json", as_list, format="json") == ask("p.jsonl", lines, format="jsonl")


def test_every_row_has_the_keys_of_all_objects_in_order(ask) -> None:
    found = ask("p.json", '[{"n": 1.50}, {"id": 1e3, "n": {"a": [2]}}, {"z": NaN}]', format="json")
    assert [list(row.items()) for row in found] == [
        [("n", "1.50"), ("id", None), ("z", None)],
        [("n", '{"a": ["2"]}'), ("id", "1e3"), ("z", None)],
        [("n", None), ("id", None), ("z", "NaN")],
    ]


def test_an_object_of_keys_gives_a_row_for_each(ask) -> None:
    found = ask("p.json", ' {"1": [[-1], [2, 3]], "b" : null}\n', format="json")
    assert found == [{"@key": "1", "@value": '[["-1"], ["2", "3"]]'}, {"@key": "b", "@value": None}]
    assert ask("p.json", "{}", format="json") == []
    assert ask("p.json", '{"1": "\\ud800"}', format="json") == ["not a JSON value (unreadable text)"]


def test_an_element_that_is_no_object_is_a_row_with_a_problem(ask) -> None:
    found = ask("p.json", '[{"id": 1}, [2], "x", {"id": "\\ud800"}, {"id": "\\u0000"}]', format="json")
    assert found == [
        {"id": "1"},
        "a JSON list where an object is expected",
        "a JSON str where an object is expected",
        "not a JSON object (unreadable text)",
        "a cell holds a NUL character",
    ]


def test_a_line_that_loses_a_value_is_a_row_with_a_problem(ask) -> None:
    lines = '{"id": 1, "id": 2}\n{"id": 3}\n' + '{"id": ' + "[" * 100_000 + "\n"
    found = ask("p.jsonl", lines, format="jsonl")
    assert found == [
        "not a JSON object (a key stands twice)",
        {"id": "3"},
        "not a JSON object (nested too deeply)",
    ]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[{"id": 1}, {"id": 2', "Expecting ',' delimiter, at character 20"),
        ('[{"id": 1}, {"id": 2}', "it ends too early, at character 21"),
        ('[{"id": 1} {"id": 2}]', "`,` or `]` is expected, at character 11"),
        ('[{"id": 1},]', "Expecting value, at character 11"),
        ('[{"id": 1}] {}', "more than one value, at character 12"),
        ('{"a": 1, b: 2}', '`"` is expected, at character 9'),
        ('{"a" 1}', "`:` is expected, at character 5"),
        ('[{"id": 1, "id": 2}]', "a key stands twice"),
        ('[{"id": ' + "[" * 100_000, "nested too deeply"),
        ("3", "holds no JSON object"),
        ("[]", "holds no JSON object: a list of them is expected"),
        ("", "holds no JSON object"),
    ],
)
@pytest.mark.parametrize("size", [5, 4096])
def test_a_file_that_is_not_json_says_where(ask, monkeypatch, size, content, said) -> None:
    monkeypatch.setattr(encodings, "BLOCK", size)
    with pytest.raises(SourceError) as caught:
        ask("p.json", content, format="json")
    assert said in str(caught.value)


def test_a_value_without_end_is_one_sentence(ask, monkeypatch) -> None:
    monkeypatch.setattr(encodings, "MAX_LINE", 2**12)
    monkeypatch.setattr(encodings, "BLOCK", 2**8)
    with pytest.raises(SourceError, match="Unterminated string starting at, at character 8"):
        ask("p.json", '[{"id": "' + "x" * 2**20, format="json")
    with pytest.raises(SourceError, match="has a line of more than 4,096 bytes"):
        ask("p.jsonl", '{"id": "' + "x" * 2**20, format="jsonl")


def test_lines_may_be_written_as_python_writes_them(ask) -> None:
    lines = ["{'id': 'a', 'n': \"it's\", 't': True, 'price': 5.99, 'l': [['x', None]]}", "{'id': 1+}", "{'id', 'n'}"]
    found = ask("p.jsonl", "\n".join([*lines, "{'id': __import__('os')}", '{"id": "b"}']), format="jsonl")
    assert found[0] == {"id": "a", "n": "it's", "t": "true", "price": "5.99", "l": '[["x", null]]'}
    assert [row.startswith("not a JSON object") for row in found[1:4]] == [True] * 3
    assert found[4]["id"] == "b"
