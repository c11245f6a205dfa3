import stat

import pytest

from tandem.data import privacy
from tandem.data.masking import IDENTIFIERS
from tandem.data.vault import VaultError
from tandem.errors import SettingsError, SourceError
from tandem.params import PrivacyParams
from tandem.settings import Settings

KEY = bytes.fromhex("0b" * 20 + "00" * 12)
DIGITS = "ab" * 32


def test_a_pseudonym_is_the_hmac_of_rfc_4231() -> None:
    # Test case 1: key 20 bytes 0x0b (HMAC pads with zero bytes, so ours of 32 is the same key), data "Hi There".
    assert privacy.pseudonym(KEY, "Hi There") == "b0344c61d8db38535ca8afceaf0bf12b"


def test_other_users_and_other_keys_have_other_pseudonyms() -> None:
    assert len({privacy.pseudonym(key, user) for key in (KEY, bytes(32)) for user in ("1", "2", "10")}) == 6


def test_the_key_id_tells_keys_apart_without_showing_them() -> None:
    assert len(privacy.key_id(KEY)) == 8
    assert privacy.key_id(KEY) != privacy.key_id(bytes(32))
    assert privacy.key_id(KEY) not in KEY.hex()


def test_the_environment_comes_before_the_file(tmp_path) -> None:
    (tmp_path / "pseudonym.key").write_text("cd" * 32)
    assert privacy.load_key(Settings(home=tmp_path)) == bytes.fromhex("cd" * 32)
    assert privacy.load_key(Settings(home=tmp_path, pseudonym_key=DIGITS)) == bytes.fromhex(DIGITS)


def test_a_made_key_is_kept_for_the_owner_alone(tmp_path) -> None:
    settings = Settings(home=tmp_path / "home")
    key = privacy.ensure_key(settings)
    assert len(key) == 32
    assert privacy.ensure_key(settings) == privacy.load_key(settings) == key
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert [path.name for path in settings.home.iterdir()] == ["pseudonym.key"]


def test_without_a_key_the_message_says_where_it_was_looked_for(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"TANDEM_PSEUDONYM_KEY is not set and .*pseudonym\.key cannot be read"):
        privacy.load_key(Settings(home=tmp_path))


@pytest.mark.parametrize("broken", ["", DIGITS[:-2], DIGITS[:-1] + "x", DIGITS + "ab"])
def test_a_broken_key_is_refused_and_never_shown(tmp_path, broken) -> None:
    settings = Settings(pseudonym_key_file=tmp_path / "key")
    settings.key_file.write_text(broken)
    with pytest.raises(SettingsError, match=f"holds {len(broken)} characters where 64 hex digits") as caught:
        privacy.ensure_key(settings)
    assert not broken or broken not in str(caught.value)
    assert settings.key_file.read_text() == broken


def test_with_a_vault_the_key_file_is_encrypted_and_reads_are_recorded(tmp_path) -> None:
    settings = Settings(home=tmp_path, vault_key=DIGITS)
    key = privacy.ensure_key(settings)
    assert privacy.key_file_is_encrypted(settings)
    assert key.hex().encode() not in settings.key_file.read_bytes()
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert "read pseudonym keys" in settings.access_log.read_text()
    with pytest.raises(VaultError, match="is encrypted: set TANDEM_VAULT_KEY"):
        privacy.load_key(Settings(home=tmp_path))


def test_a_key_in_the_open_is_warned_about_once(tmp_path, caplog) -> None:
    settings = Settings(home=tmp_path)
    for _ in range(3):
        privacy.ensure_key(settings)
    assert caplog.text.count("is not encrypted: TANDEM_VAULT_KEY is not set") == 1


def test_a_plain_key_file_is_encrypted_in_place_once(tmp_path) -> None:
    key = privacy.ensure_key(Settings(home=tmp_path))
    with pytest.raises(VaultError, match="TANDEM_VAULT_KEY is not set"):
        privacy.encrypt_keys(Settings(home=tmp_path))
    settings = Settings(home=tmp_path, vault_key=DIGITS)
    assert privacy.load_key(settings) == key
    assert privacy.encrypt_keys(settings)
    assert not privacy.encrypt_keys(settings)
    assert privacy.load_key(settings) == key


@pytest.mark.parametrize("vault_key", [None, DIGITS])
def test_after_a_rotation_the_new_key_comes_first_and_the_old_one_until_it_is_forgotten(tmp_path, vault_key) -> None:
    settings = Settings(home=tmp_path, vault_key=vault_key)
    old = privacy.ensure_key(settings)
    new = privacy.rotate_key(settings)
    newest = privacy.rotate_key(settings)
    assert privacy.load_keys(settings) == [newest, new, old]
    assert privacy.key_for([newest, new, old], privacy.key_id(old)) == old
    assert privacy.key_for([newest], privacy.key_id(old)) is None
    assert privacy.forget_keys(settings) == 2
    assert privacy.load_keys(settings) == [newest]
    assert privacy.key_file_is_encrypted(settings) is (vault_key is not None)


def test_a_key_from_the_environment_is_not_rotated(tmp_path) -> None:
    with pytest.raises(SettingsError, match="stands in TANDEM_PSEUDONYM_KEY: put it into a key file"):
        privacy.rotate_key(Settings(home=tmp_path, pseudonym_key=DIGITS))


LISTED = PrivacyParams(
    mask=dict.fromkeys(IDENTIFIERS, True), user_attributes=("region", "zip_code"), keep_identities=False, min_users=5
)


def test_attributes_on_the_list_pass() -> None:
    privacy.allowed([], LISTED)
    privacy.allowed(["region"], LISTED)


def test_an_attribute_off_the_list_is_refused_by_name_with_the_list() -> None:
    with pytest.raises(
        SourceError, match=r"attribute 'shoe_size' is not in .*\(region, zip_code\); add it to the list"
    ):
        privacy.allowed(["region", "shoe_size"], LISTED)


@pytest.mark.parametrize(
    "name", ["name", "first_name", "email", "Phone", "home_address", "birth_date", "birthday", "邮箱"]
)
def test_an_identifying_attribute_is_told_to_stay_away(name) -> None:
    with pytest.raises(SourceError, match=f"'{name}' .*tells who somebody is"):
        privacy.allowed([name], LISTED)


@pytest.mark.parametrize("name", ["brand_named", "platform", "shipping_class", "age_band", "membership"])
def test_harmless_names_are_not_taken_for_identifying_ones(name) -> None:
    with pytest.raises(SourceError, match="add it to the list"):
        privacy.allowed([name], LISTED)


def test_an_identifying_attribute_on_the_list_is_warned_about(caplog) -> None:
    privacy.allowed(["zip_code"], LISTED)
    assert "zip_code is on `privacy.user_attributes` though" in caplog.text
