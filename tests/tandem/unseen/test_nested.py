import json
import shutil
import subprocess

import pytest

ORDERS = [
    {
        "id": 5000 + n,
        "created_at": f"2026-01-{n % 28 + 1:02}T10:00:00Z",
        "customer": {"id": n % 9, "email": f"a{n}@mail.example"},
        "line_items": [{"sku": f"S{n % 7}", "quantity": 1, "price": "9.90"}],
    }
    for n in range(60)
]


def test_an_object_and_the_id_of_an_order_are_no_ids_of_users_and_products(described) -> None:
    draft = described({"orders.json": json.dumps(ORDERS)})
    assert draft.source is None  # rather than one that is surely wrong
    told = next(doubt for doubt in draft.unsure if "becomes no block" in doubt)
    assert "`customer` is an object (id, email)" in told
    assert "`line_items` is a list of objects (sku, quantity, price)" in told


@pytest.mark.skipif(shutil.which("jq") is None, reason="jq is not installed; the command that is told needs it")
@pytest.mark.parametrize("lines", [False, True])
def test_the_command_makes_rows_that_can_be_described(described, tmp_path, lines) -> None:
    name = "orders.jsonl" if lines else "orders.json"
    text = "\n".join(map(json.dumps, ORDERS)) if lines else json.dumps(ORDERS)
    told = next(doubt for doubt in described({name: text}).unsure if "becomes no block" in doubt)
    command = told.partition("such as by `")[2].partition("`")[0]
    subprocess.run(command, shell=True, check=True, cwd=tmp_path / "export")
    (tmp_path / "export" / name).unlink()
    flat = (tmp_path / "export" / "rows.jsonl").read_text()
    assert "mail.example" not in flat
    columns = described({}).source.events[0].columns
    assert columns == {
        **{"product_id": "sku", "user_id": "customer_id", "time": "created_at", "order_id": "order_id"},
        **{"quantity": "quantity", "unit_price": "price"},
    }


def test_a_nested_user_beside_a_plain_product_is_told(described) -> None:
    log = [{"sku": f"S{n % 7}", "time": f"2026-01-{n % 28 + 1:02}", "user": {"id": n % 5}, "qty": 1} for n in range(40)]
    draft = described({"log.json": json.dumps(log)})
    assert "user_id" not in draft.source.events[0].columns
    assert any("`user` is an object (id)" in doubt and "user_id: .user.id" in doubt for doubt in draft.unsure)


def test_a_product_that_is_another_in_every_row_is_unsure(described, rows) -> None:
    draft = described({"log.csv": rows("item_id,user_id,time", "I{n},U{a},2026-01-{day} 10:00")})
    assert any("`item_id` has another value in every row" in doubt for doubt in draft.unsure)


def test_a_weak_guess_is_unsure(described, rows) -> None:
    draft = described({"log.csv": rows("id,user_id,time", "I{a},U{a},2026-01-{day} 10:00")})
    assert any("product_id: `id` is a weak guess (0.40" in doubt for doubt in draft.unsure)
