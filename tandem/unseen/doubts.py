"""What of a proposed block a person has to decide: weak guesses, users that are not found, states of orders."""

import re

from tandem.unseen import names, words
from tandem.unseen.blocks import Proposal, wanted
from tandem.unseen.profile import Profile
from tandem.unseen.roles import Group

WEAK = 0.6
"""A score below this is doubtful even where no other column comes near."""

FEW = 20
"""Rows from which it tells something that no product comes twice."""


def note(group: Group, block: Proposal) -> None:
    """Add to the block what is doubtful of the columns that it maps."""
    for ours, meaning in wanted(block.table):
        guess = group.guesses.get(meaning, [None])[0]
        if guess and ours in block.keys["columns"] and guess.score < WEAK:
            block.unsure.append(f"{ours}: `{guess.column}` is a weak guess ({guess.score:.2f}, {guess.why})")
    if block.table == "events":
        _set_rules(group, block)
        _note_products(group, block)
        _note_total(group, block)
        _note_texts(group, block)


def _note_products(group: Group, block: Proposal) -> None:
    """In a log of any length some product comes twice."""
    found = group.of("product_id")
    if found and found.unique and found.count >= FEW:
        raw = group.column("product_id")
        block.unsure.append(f"product_id: `{raw}` has another value in every row: is it an id of the row or its order?")


def _note_total(group: Group, block: Proposal) -> None:
    raw = group.column("total")
    if raw and "unit_price" not in block.keys["columns"]:
        block.unsure.append(
            f"`{raw}` holds amounts: of an order, a line or a piece? Only the price of one piece can be `unit_price`"
        )


def _note_texts(group: Group, block: Proposal) -> None:
    raw = group.column("text")
    if raw and "rating" not in group.guesses:
        block.unsure.append(
            f"`{raw}` holds texts: are they reviews of products? Then add a block of `reviews` for them"
        )


def contacts(group: Group) -> list[str]:
    """The columns of telephone numbers or addresses that tell users apart."""
    return [raw for raw in group.columns("contact") if group.profiles[raw].distinct > 1]


def no_user(group: Group) -> str:
    """That no column tells the users, with the names of those that may."""
    reached = contacts(group)
    maybe = [name for name, found in group.profiles.items() if _may_be_user(group, name, found)]
    sentence = "no user found" + (f"; is it one of `{'`, `'.join(maybe[:8])}`?" if maybe else "")
    if reached:
        sentence += (
            f"; only `{reached[0]}` tells users apart, a telephone number or an address, which is left out: "
            f"`user_id: {reached[0]}` would make pseudonyms of it"
        )
    return sentence


def _may_be_user(group: Group, name: str, found: Profile) -> bool:
    """Codes or short texts that come more than once and mean nothing else."""
    fits = found.type in ("integer", "whole", "text") and found.distinct > 3 and found.longest <= 64
    return fits and group.meaning(name) in (None, "person") and not found.unique and not words.states(found)


def _set_rules(group: Group, block: Proposal) -> None:
    """Rules for orders that were cancelled or given back, where a column's words tell them."""
    for raw, found in group.profiles.items():
        if raw == group.column("kind") or found.type == "empty":
            continue
        counted = ", ".join(f"{value} × {count}" for value, count in found.top)
        if states := words.states(found):
            block.keys.setdefault("rules", []).extend(_rules(raw, states, block.keys.get("rules", [])))
            block.refused += _share(found, [value for value, state in states.items() if state == "cancelled"])
            block.unsure.append(
                f"`{raw}` tells what became of orders ({counted}): by `rules` cancelled ones are refused and those "
                "given back are returns; all others count as they are"
            )
        elif words.STATE_NAMES.search(names.key(raw)) and 1 < found.distinct <= words.MOST:
            block.unsure.append(
                f"`{raw}` ({counted}) may tell orders that were cancelled or given back: then add `rules` for these"
            )


def _share(found: Profile, values: list[str]) -> float:
    """Share of the rows with one of the values, in [0, 1]."""
    return sum(count for value, count in found.top if value in values) / found.count


def _rules(raw: str, states: dict[str, str], before: list[dict[str, object]]) -> list[dict[str, object]]:
    """A rule for each state that is no sale."""
    ends: dict[str, dict[str, object]] = {
        "cancelled": {"refuse": "an order that was cancelled"},
        "returned": {"kind": "return"},
    }
    taken = {rule["name"] for rule in before}
    rules: list[dict[str, object]] = []
    for state, end in ends.items():
        listed = sorted({value.casefold() for value, told in states.items() if told == state})
        if listed:
            name = state if state not in taken else f"{state}_{len(taken) + 1}"
            rules.append({"name": name, "where": {raw: f"(?i)^({'|'.join(map(re.escape, listed))})$"}, **end})
    return rules
