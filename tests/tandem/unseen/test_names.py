import pytest

from tandem.unseen import names


@pytest.mark.parametrize(
    ("name", "meaning"),
    [
        ("StockCode", "product_id"),
        ("sku_id", "product_id"),
        ("asin", "product_id"),
        ("item_id:token", "product_id"),
        ("商品ID", "product_id"),
        ("visitorid", "user_id"),
        ("CustomerID", "user_id"),
        ("reviewerID", "user_id"),
        ("用户", "user_id"),
        ("InvoiceDate", "time"),
        ("t_dat", "time"),
        ("下单时间", "time"),
        ("behavior_type", "kind"),
        ("行为类型", "kind"),
        ("数量", "quantity"),
        ("UnitPrice", "unit_price"),
        ("价格", "unit_price"),
        ("InvoiceNo", "order_id"),
        ("customer email", "contact"),
        ("姓名", "person"),
        ("Kunde", "user_id"),
        ("Kunden-Nr.", "user_id"),
        ("Bestell-Nr", "order_id"),
        ("Bestellnummer", "order_id"),
        ("Artikel", "product_id"),
        ("Menge", "quantity"),
        ("Einzelpreis", "unit_price"),
        ("VK-Preis", "unit_price"),
        ("Gesamtpreis", "total"),
        ("Kategorie", "category"),
        ("Marke", "brand"),
        ("Rechnungsdatum", "time"),
        ("会员手机号", "contact"),
    ],
)
def test_a_common_name_tells_its_meaning(name, meaning) -> None:
    assert max(names.meanings(name), key=names.meanings(name).get) == meaning


def test_a_part_of_a_name_counts_only_at_its_end() -> None:
    assert names.meanings("shop_order_id") == {"order_id": 0.7}
    assert names.meanings("order_id_of_shop") == {}


def test_an_id_alone_may_be_of_a_product_or_of_a_user() -> None:
    assert names.meanings("id").keys() == {"product_id", "user_id"}


def test_names_are_alike_by_letters_or_by_meaning() -> None:
    assert names.likeness("CustomerNo", "customer_no") == 1.0
    assert names.likeness("sku_id", "StockCode") == pytest.approx(0.9)  # no letters to speak of, one meaning
    assert names.likeness("colour", "quantity") < 0.4
