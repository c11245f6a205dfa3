ORDER = "order_id,user_id,sku,qty,price,status,created_at"


def test_cancelled_orders_are_no_purchases(described, rows) -> None:
    text = rows(ORDER, "O{n},U{a},S{a},1,2.5,{b},2026-01-{day} 10:00")
    for number, state in enumerate(("paid", "cancelled", "refunded")):
        text = text.replace(f"2.5,{number},", f"2.5,{state},")
    draft = described({"orders.csv": text})
    cancelled, returned = draft.source.events[0].rules
    assert (cancelled.where, cancelled.kind) == ({"status": "(?i)^(cancelled)$"}, None)
    assert (returned.where, returned.kind) == ({"status": "(?i)^(refunded)$"}, "return")
    assert draft.source.params["validate"] == {"max_refused_share": 0.43}  # a third, and a tenth as for any shop
    assert any("paid × 20, cancelled × 20, refunded × 20" in doubt for doubt in draft.unsure)


def test_a_column_called_status_is_never_passed_over(described, rows) -> None:
    draft = described({"orders.csv": rows(ORDER, "O{n},U{a},S{a},1,2.5,{b},2026-01-{day} 10:00")})
    assert any("`status` (0 × 20, 1 × 20, 2 × 20) may tell orders that were cancelled" in d for d in draft.unsure)


def test_orders_without_a_user_are_drafted_and_the_user_is_asked_for(described, rows) -> None:
    header, pattern = "Artikel;Menge;Einzelpreis;Bestelldatum;Konto", "A{a};1;2,50;{day}.01.2026;K{a}"
    draft = described({"bestellungen.csv": rows(header, pattern)})
    assert draft.source.events[0].columns == {
        **{"product_id": "Artikel", "time": "Bestelldatum", "quantity": "Menge", "unit_price": "Einzelpreis"}
    }
    assert draft.unsure[0] == "bestellungen.csv: no user found; is it one of `Konto`?"
    assert draft.text.index("no user found") < draft.text.index("events:")


def test_a_telephone_as_only_user_is_unsure_and_not_shown(described, rows) -> None:
    header, pattern = "会员手机号,商品编号,数量,下单时间", "1380000000{a},A{a},1,2026-01-{day} 10:00"
    draft = described({"orders.csv": rows(header, pattern)})
    assert "user_id" not in draft.source.events[0].columns
    assert any("only `会员手机号` tells users apart, a telephone number" in doubt for doubt in draft.unsure)
    assert "1380000" not in draft.text


def test_an_address_as_only_user_is_unsure_though_orders_make_baskets(described, rows) -> None:
    header, pattern = "order_id,customer_email,sku,qty,created_at", "O{n},c{a}@shop.example,S{a},1,2026-01-{day} 10:00"
    draft = described({"orders.csv": rows(header, pattern)})
    assert "order_id" in draft.source.events[0].columns
    assert any("only `customer_email` tells users apart" in doubt for doubt in draft.unsure)


def test_a_file_with_product_and_time_that_becomes_no_block_is_unsure(described, rows) -> None:
    files = {"prices.csv": rows("sku,day,price,Konto", "S{a},2026-01-{day},2.5,K{b}")}
    told = next(doubt for doubt in described(files).unsure if "becomes no block" in doubt)
    assert "no user found" in told


def test_what_is_missing_is_said(described, rows) -> None:
    text = described({"a.csv": rows("colour,created_at", "red{a},2026-01-{day}")}).text
    assert "events need a product, and no column looks like its id" in text


def test_texts_beside_what_was_bought_are_not_passed_over(described, rows) -> None:
    draft = described(
        {"o.csv": rows("order_id,user_id,sku,qty,comment,time", "O{n},U{a},S{a},1,please ring {n},2026-01-{day}")}
    )
    assert draft.source.reviews == ()
    assert any("`comment` holds texts: are they reviews" in doubt for doubt in draft.unsure)


def test_amounts_without_a_price_of_one_piece_are_unsure(described, rows) -> None:
    files = {"o.csv": rows("Order,Customer,Item,Total,Date", "O{n},U{a},P{a},$9.9{b},2026-01-{day}")}
    draft = described(files)
    assert draft.source.currency == "USD"
    assert any("`Total` holds amounts" in doubt for doubt in draft.unsure)
