"""What shops call their columns: likely meanings of a raw column's name, in English, German and Chinese."""

import re
from difflib import SequenceMatcher
from functools import cache

IN_FULL = {
    "product_id": """
        product_id product item_id item iid sku sku_id asin parent_asin stock_code article article_id article_no
        article_number product_code product_no prod_id goods goods_id movie_id book_id business_id variant_id gtin
        ean upc isbn artikel artikelnr artikelnummer artikel_nr artikel_nummer artikel_id art_nr produkt
        produkt_id produktnr produktnummer lineitem_sku 商品 商品id 商品编号 商品编码 商品代码 货号 宝贝id 产品
        产品id 产品编号 条码 物品 物品id 单品
    """,
    "user_id": """
        user_id user uid customer customer_id customer_no customer_number client client_id visitor visitor_id
        member member_id account_id buyer_id reviewer_id person_id shopper_id ncodpers kunde kunden kundennr
        kunden_nr kundennummer kunden_nummer kunden_id käufer kaeufer besteller mitglied mitgliedsnummer 用户
        用户id 用户编号 会员 会员id 会员号 会员编号 买家 买家id 客户 客户id 客户编号 顾客 顾客id 访客 访客id
    """,
    "time": """
        time timestamp date datetime ts when event_time order_date order_time invoice_date purchase_date created
        created_at updated_at t_dat unix_review_time review_time action_time behavior_time transaction_date dt
        fecha_dato datum zeit uhrzeit zeitpunkt bestelldatum bestellzeit kaufdatum rechnungsdatum belegdatum
        auftragsdatum erstellt erstellt_am bestellt_am 时间 日期 时间戳 下单时间 购买时间 行为时间 订单时间
        创建时间 成交时间 支付时间 评论时间 交易日期
    """,
    "kind": """
        kind event event_type type action action_type behavior behavior_type behaviour behaviour_type 行为
        行为类型 操作 动作 类型 事件 事件类型 行为类别
    """,
    "session_id": "session session_id user_session visit visit_id sid 会话 会话id",
    "order_id": """
        order order_id order_no invoice invoice_no invoice_number transaction_id basket basket_id cart_id receipt
        bill_no bundle_id bestellung bestell_nr bestellnr bestellnummer bestell_nummer bestell_id auftrag
        auftragsnr auftragsnummer rechnung rechnungsnr rechnungsnummer beleg belegnr belegnummer bon bon_nr 订单
        订单id 订单号 订单编号 发票号 小票号 交易号
    """,
    "quantity": """
        quantity qty amount_of_items count pieces units num_items lineitem_quantity menge anzahl stück stueck
        stückzahl 数量 件数 购买数量 个数
    """,
    "unit_price": """
        price unit_price sale_price sales_price selling_price list_price final_price item_price lineitem_price
        preis einzelpreis stückpreis stueckpreis vk vk_preis verkaufspreis preis_brutto bruttopreis 价格 单价 售价
        商品价格 成交价
    """,
    "title": """
        title name titles product_name item_name product_title movie_title description_short product_display_name
        prod_name goods_name titel produktname artikelname artikelbezeichnung produktbezeichnung bezeichnung 标题
        名称 商品名 商品名称 商品标题 产品名称 品名
    """,
    "description": """
        description detail_desc details long_description desc feature features beschreibung produktbeschreibung
        artikelbeschreibung 描述 商品描述 详情 简介
    """,
    "category": """
        category categories cate cat category_id category_code i_category main_cat main_category master_category
        sub_category article_type product_type_name department department_name aisle class genre genres
        product_group_name kategorie kategorien warengruppe produktgruppe artikelgruppe sortiment 类目 类别 分类
        品类 类目id 商品类目 商品分类 一级类目 二级类目 三级类目
    """,
    "brand": "brand brand_id brand_name manufacturer maker vendor marke hersteller 品牌 品牌id 品牌名 商家",
    "stock": "stock stock_quantity inventory on_hand bestand lagerbestand lager 库存 库存量",
    "image": """
        image picture photo image_url img img_url image_urlhigh_res image_file picture_url bild bilder bild_url
        foto 图片 主图 图片地址 图片链接
    """,
    "rating": "rating overall stars star score rate bewertung sterne 评分 星级 打分",
    "text": """
        text review_text review comment comments body content review_body kommentar rezension bewertungstext 评论
        评价 评论内容 评价内容 内容
    """,
    "headline": "headline summary review_title review_summary review_headline 评论标题",
    "language": "language lang locale sprache 语言",
    "total": """
        total amount total_price total_amount line_total line_amount order_total subtotal grand_total sum revenue
        sales_value betrag gesamt gesamtpreis gesamtbetrag summe umsatz endbetrag 总价 总额 总金额 金额 实付金额
        订单金额 销售额
    """,
    "complement": "complement complements r_complement also_buy also_bought bought_together 互补",
    "substitute": "substitute substitutes r_substitute also_view also_viewed similar_item 替代",
    "person": """
        first_name last_name full_name surname customer_name user_name username reviewer_name nickname street
        vorname nachname kundenname strasse straße adresse anschrift plz postleitzahl geburtsdatum geburtstag
        address zip_code zip postcode postal_code birthday birth_date date_of_birth 姓名 昵称 用户名 地址 收货人
        生日 邮编 身份证 身份证号
    """,
    "contact": """
        email e_mail mail phone phone_number mobile tel telephone telefon telefonnummer handy mobilnummer 邮箱
        电子邮件 手机 手机号 电话 电话号码 微信
    """,
    "segment": """
        age age_band gender sex occupation country region city level user_lv_cd club_member_status membership
        alter altersgruppe geschlecht beruf land stadt ort bundesland kundengruppe 年龄 性别 地区 国家 城市 省份
        等级 会员等级 职业
    """,
}
"""Meaning: names that say it in full, compared without case, spaces and separators."""

IN_PART = (
    ("contact", r"e_?mail|phone|telefon|mobile|邮箱|手机|电话"),
    (
        "person",
        r"(first|last|full|reviewer|customer|user|buyer|kunden?)_?name|address|adresse|birth|geburt"
        r"|姓名|昵称|地址|生日|身份证",
    ),
    (
        "user_id",
        r"(^|_)(user|customer|client|visitor|member|buyer|reviewer|shopper|kunden)(_?(id|no|nr|number|nummer|code|key))$"
        r"|用户|会员|买家|顾客",
    ),
    (
        "product_id",
        r"(^|_)(product|item|sku|article|artikel|produkt|goods|movie|book)(_?(id|no|nr|number|nummer|code|key))$"
        r"|(^|_)sku$|商品(id|编)|产品(id|编)",
    ),
    ("session_id", r"session|visit_?id|会话"),
    (
        "order_id",
        r"(order|invoice|basket|receipt|transaction|bundle|bestell|auftrags|rechnungs|beleg)(_?(id|no|nr|number|nummer))$"
        r"|订单|单号",
    ),
    ("time", r"time|date|timestamp|(^|_)ts$|(^|_)(dt|dat)$|datum|zeitpunkt|时间|日期"),
    ("kind", r"(event|action|behaviou?r)|行为"),
    ("total", r"total|gesamt|summe|总"),
    ("quantity", r"quantity|(^|_)qty|menge|stückzahl|数量"),
    ("unit_price", r"price|preis|价格|单价|售价"),
    ("title", r"title|(product|item|article)_?(display_?)?name|标题|名称"),
    ("category", r"categor|genre|department|类目|分类|类别|品类"),
    ("brand", r"brand|品牌"),
    ("image", r"image|picture|photo|图片"),
    ("rating", r"rating|stars|评分"),
    ("text", r"review|comment|评论|评价"),
    ("description", r"descr|描述"),
)
"""Meaning and a pattern of which a part of a name suffices, the more telling first."""


def key(name: str) -> str:
    """The name in small letters, words joined by `_`: `InvoiceNo`, `invoice no` and `invoice_no` are one."""
    apart = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name.strip().partition(":")[0])
    return re.sub(r"[\W_]+", "_", apart).strip("_").casefold()


@cache
def meanings(name: str) -> dict[str, float]:
    """What a column of that name may hold, and how surely by the name alone, in (0, 1]; most often one meaning."""
    found = {meaning: 1.0 for joined, meaning in _listed() if joined == _joined(key(name))}
    if found:
        return found
    part = next(((meaning, 0.7) for meaning, pattern in IN_PART if re.search(pattern, key(name))), None)
    if part:
        return dict([part])
    return {"product_id": 0.4, "user_id": 0.3} if key(name) == "id" else {}


def likeness(one: str, other: str) -> float:
    """How alike two names are, in [0, 1]: by letters, or because both mean the same.

    Letters: 2 × matching letters / all letters, of `difflib`.
    """
    letters = SequenceMatcher(None, _joined(key(one)), _joined(key(other))).ratio()
    mine, theirs = meanings(one), meanings(other)
    return max([letters, *(0.9 * min(mine[m], theirs[m]) for m in mine.keys() & theirs.keys())])


@cache
def _listed() -> tuple[tuple[str, str], ...]:
    return tuple((_joined(key(name)), meaning) for meaning, listed in IN_FULL.items() for name in listed.split())


def _joined(name: str) -> str:
    return name.replace("_", "")
