"""Every fault of `refusals` costs exactly its own rows, each with the right rule and reason."""

import re

import pytest

from . import shop
from .refusals import REFUSALS, Refusal
from .shop import Result


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Result:
    """All files of the corpus together, taken in at once; and what was logged."""
    contents = {fault.file.partition("!")[0]: fault.content for fault in REFUSALS if fault.content}
    return shop.make(tmp_path_factory.mktemp("refusals"), contents)


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.name)
def test_a_fault_costs_its_own_rows(fault: Refusal, made: Result) -> None:
    account = made.account(fault.file)
    found = {key: account[key] for key in ("kept", "duplicates", "rules")}
    assert found == {"kept": fault.kept, "duplicates": fault.duplicates, "rules": fault.rules}
    reasons = [row["reason"] for row in made.rows("refused") if row["file"] == fault.file]
    assert len(reasons) == sum(fault.rules.values())
    assert [reason for reason in reasons if not re.search(fault.reasons, reason)] == []


def test_rows_in_are_kept_duplicates_or_refused(made) -> None:
    for account in made.report["files"]:
        assert account["rows"] == account["kept"] + account["duplicates"] + account["refused"]


def test_nothing_of_a_person_gets_out(made) -> None:
    assert shop.leaks(made.written("canonical") + made.written("parts") + made.log) == []
    assert shop.leaks(made.written("canonical"), shop.PERSONAL) == []
