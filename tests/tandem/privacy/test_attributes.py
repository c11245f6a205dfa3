import pytest

from tandem.errors import SourceError
from tandem.privacy.attributes import allowed

LISTED = ("region", "zip_code")


def test_attributes_on_the_list_pass() -> None:
    allowed([], LISTED)
    allowed(["region"], LISTED)


def test_an_attribute_off_the_list_is_refused_by_name_with_the_list() -> None:
    with pytest.raises(
        SourceError, match=r"attribute 'shoe_size' is not in .*\(region, zip_code\); add it to the list"
    ):
        allowed(["region", "shoe_size"], LISTED)


@pytest.mark.parametrize(
    "name", ["name", "first_name", "email", "Phone", "home_address", "birth_date", "birthday", "邮箱"]
)
def test_an_identifying_attribute_is_told_to_stay_away(name) -> None:
    with pytest.raises(SourceError, match=f"'{name}' .*tells who somebody is"):
        allowed([name], LISTED)


@pytest.mark.parametrize("name", ["brand_named", "platform", "shipping_class", "age_band", "membership"])
def test_harmless_names_are_not_taken_for_identifying_ones(name) -> None:
    with pytest.raises(SourceError, match="add it to the list"):
        allowed([name], LISTED)


def test_an_identifying_attribute_on_the_list_is_warned_about(caplog) -> None:
    allowed(["zip_code"], LISTED)
    assert "zip_code is on `privacy.user_attributes` though" in caplog.text
