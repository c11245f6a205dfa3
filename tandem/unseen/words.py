"""Words and codes of shops in cells: kinds of events, states of orders, ratings."""

import re

from tandem.unseen.profile import Profile

MOST = 12
"""Different values beyond which a column holds no such words."""

KINDS: dict[str | None, str] = {
    "view": "view pv browse pageview page_view detail detail_view impression 浏览 查看",
    "click": "click clk 点击",
    "cart": "cart basket addtocart add_to_cart add-to-cart addcart 加购 加购物车 加入购物车 购物车",
    "favourite": "fav favorite favourite wish wishlist collect like follow 收藏 关注",
    "purchase": "buy purchase order transaction pay paid sale bought checkout 购买 下单 支付 付款 成交 交易",
    "return": "return refund returned 退货 退款",
    None: "remove remove_from_cart delete hide dislike compare search 删除 取消 移除",
}
CODES: dict[str, dict[str, str | None]] = {
    "6": {"1": "view", "2": "cart", "3": None, "4": "purchase", "5": "favourite", "6": "click"},
    "4": {"1": "view", "2": "favourite", "3": "cart", "4": "purchase"},
}
"""Codes in use, by the last: JD's six (3 takes out of the cart), and Tmall's four."""

STATES = {
    "sold": """
        paid complete completed fulfilled shipped sent delivered closed ok success successful authorized approved
        invoiced processing bezahlt versendet versandt geliefert zugestellt abgeschlossen 已支付 已付款 已完成 已发货
        已收货 交易成功 完成 待发货 已签收
    """,
    "returned": """
        refunded refund returned return partially_refunded charged_back chargeback erstattet retourniert retoure
        zurückgegeben rücksendung 退款 已退款 退货 已退货 退款成功 退货退款
    """,
    "cancelled": """
        cancelled canceled cancel void voided failed declined rejected expired abandoned storniert abgebrochen
        fehlgeschlagen abgelehnt 已取消 取消 交易关闭 已关闭 关闭 支付失败 失败
    """,
    "open": """
        pending unpaid open draft on_hold awaiting_payment offen unbezahlt ausstehend 待付款 未付款 待支付 未支付
    """,
}
"""What became of an order, in words of its state."""

STATE_NAMES = re.compile(r"(?i)status|zustand|状态")
"""Names of columns that tell what became of an order."""

STARRED = re.compile(
    r"(?i)^(★{1,5})☆{0,4}$|^(⭐{1,5})$|^([1-5](?:\.\d)?)\s*(?:星|stars?|sterne?)$|^([1-5](?:\.\d)?)\s*/\s*5$"
)
PHRASE = re.compile(r"(?i)^([1-5](?:\.\d)?) (?:out of|von) 5(?: stars| sternen)?$")
PRAISE = {"好评": "5", "中评": "3", "差评": "1"}
NUMERALS = {f"{numeral}星": str(n) for n, numeral in enumerate("一二三四五", start=1)}
"""Ratings that are no plain numbers."""


def kinds(found: Profile) -> dict[str, str | None]:
    """What the values mean as kinds of events, for those that are words of KINDS."""
    words = {word: kind for kind, listed in KINDS.items() for word in listed.split()}
    if found.distinct > MOST:
        return {}
    return {value: words[value.casefold()] for value, _ in found.top if value.casefold() in words}


def codes(found: Profile) -> dict[str, str | None]:
    """What codes from 1 mean as kinds in logs that use so many; none where the values are no such codes."""
    values = {value.partition(".")[0]: value for value in found.values} if found.numeric else {}
    for most, listed in CODES.items():
        if values and max(values) == most and values.keys() <= listed.keys():
            return {value: listed[code] for code, value in sorted(values.items())}
    return {}


def states(found: Profile) -> dict[str, str]:
    """What the values mean as states of orders, for those that are words of STATES; none where no order failed.

    `paid` alone is no state: it may be all there is, or a kind of event.
    """
    if found.distinct > MOST:
        return {}
    words = {_plain(word): state for state, listed in STATES.items() for word in listed.split()}
    known = {value: words[_plain(value)] for value, _ in found.top if _plain(value) in words}
    return known if set(known.values()) - {"sold"} and 2 * len(known) >= found.distinct else {}


def ratings(found: Profile) -> dict[str, str]:
    """Values such as `5星` or `★★★★☆` and the numbers that they mean; none where most are no such ratings."""
    if found.distinct > 41 or found.numeric:
        return {}
    known = {value: rating for value in sorted(found.values) if (rating := _rating(value))}
    return known if known and len(known) >= 0.8 * found.distinct else {}


def _rating(value: str) -> str | None:
    if match := STARRED.match(value) or PHRASE.match(value):
        told = next(group for group in match.groups() if group)
        return told if told[0].isdigit() else str(len(told))
    return PRAISE.get(value) or NUMERALS.get(value)


def _plain(word: str) -> str:
    return re.sub(r"[\W_]+", "_", word.casefold())
