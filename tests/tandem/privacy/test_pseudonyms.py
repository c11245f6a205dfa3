import stat

import pytest

from tandem.errors import SettingsError
from tandem.privacy import pseudonyms
from tandem.privacy.vault import VaultError
from tandem.settings import Settings

KEY = bytes.fromhex("0b" * 20 + "00" * 12)
DIGITS = "ab" * 32


def test_a_pseudonym_is_the_hmac_of_rfc_4231() -> None:
    # Test case 1: key 20 bytes 0x0b (HMAC pads with zero bytes, so ours of 32 is the same key), data "Hi There".
    assert pseudonyms.of(KEY, "Hi There") == "b0344c61d8db38535ca8afceaf0bf12b"


def test_other_users_and_other_keys_have_other_pseudonyms() -> None:
    assert len({pseudonyms.of(key, user) for key in (KEY, bytes(32)) for user in ("1", "2", "10")}) == 6


def test_the_key_id_tells_keys_apart_without_showing_them() -> None:
    assert len(pseudonyms.key_id(KEY)) == 8
    assert pseudonyms.key_id(KEY) != pseudonyms.key_id(bytes(32))
    assert pseudonyms.key_id(KEY) not in KEY.hex()


def test_the_environment_comes_before_the_file(tmp_path) -> None:
    (tmp_path / "pseudonym.key").write_text("cd" * 32)
    assert pseudonyms.load_key(Settings(home=tmp_path)) == bytes.fromhex("cd" * 32)
    assert pseudonyms.load_key(Settings(home=tmp_path, pseudonym_key=DIGITS)) == bytes.fromhex(DIGITS)


def test_a_made_key_is_kept_for_the_owner_alone(tmp_path) -> None:
    settings = Settings(home=tmp_path / "home")
    key = pseudonyms.ensure_key(settings)
    assert len(key) == 32
    assert pseudonyms.ensure_key(settings) == pseudonyms.load_key(settings) == key
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert [path.name for path in settings.home.iterdir()] == ["pseudonym.key"]


def test_without_a_key_the_message_says_where_it_was_looked_for(tmp_path) -> None:
    with pytest.raises(SettingsError, match=r"TANDEM_PSEUDONYM_KEY is not set and .*pseudonym\.key cannot be read"):
        pseudonyms.load_key(Settings(home=tmp_path))


@pytest.mark.parametrize("broken", ["", DIGITS[:-2], DIGITS[:-1] + "x", DIGITS + "ab"])
def test_a_broken_key_is_refused_and_never_shown(tmp_path, broken) -> None:
    settings = Settings(pseudonym_key_file=tmp_path / "key")
    settings.key_file.write_text(broken)
    with pytest.raises(SettingsError, match=f"holds {len(broken)} characters where 64 hex digits") as caught:
        pseudonyms.ensure_key(settings)
    assert not broken or broken not in str(caught.value)
    assert settings.key_file.read_text() == broken


def test_with_a_vault_the_key_file_is_encrypted_and_reads_are_recorded(tmp_path) -> None:
    settings = Settings(home=tmp_path, vault_key=DIGITS)
    key = pseudonyms.ensure_key(settings)
    assert pseudonyms.key_file_is_encrypted(settings)
    assert key.hex().encode() not in settings.key_file.read_bytes()
    assert stat.S_IMODE(settings.key_file.stat().st_mode) == 0o600
    assert "read pseudonym keys" in settings.access_log.read_text()
    with pytest.raises(VaultError, match="is encrypted: set TANDEM_VAULT_KEY"):
        pseudonyms.load_key(Settings(home=tmp_path))


def test_a_key_in_the_open_is_warned_about_once(tmp_path, caplog) -> None:
    settings = Settings(home=tmp_path)
    for _ in range(3):
        pseudonyms.ensure_key(settings)
    assert caplog.text.count("is not encrypted: TANDEM_VAULT_KEY is not set") == 1


def test_a_plain_key_file_is_encrypted_in_place_once(tmp_path) -> None:
    key = pseudonyms.ensure_key(Settings(home=tmp_path))
    with pytest.raises(VaultError, match="TANDEM_VAULT_KEY is not set"):
        pseudonyms.encrypt_keys(Settings(home=tmp_path))
    settings = Settings(home=tmp_path, vault_key=DIGITS)
    assert pseudonyms.load_key(settings) == key
    assert pseudonyms.encrypt_keys(settings)
    assert not pseudonyms.encrypt_keys(settings)
    assert pseudonyms.load_key(settings) == key


@pytest.mark.parametrize("vault_key", [None, DIGITS])
def test_after_a_rotation_the_new_key_comes_first_and_the_old_one_until_it_is_forgotten(tmp_path, vault_key) -> None:
    settings = Settings(home=tmp_path, vault_key=vault_key)
    old = pseudonyms.ensure_key(settings)
    new = pseudonyms.rotate_key(settings)
    newest = pseudonyms.rotate_key(settings)
    assert pseudonyms.load_keys(settings) == [newest, new, old]
    assert pseudonyms.key_for([newest, new, old], pseudonyms.key_id(old)) == old
    assert pseudonyms.key_for([newest], pseudonyms.key_id(old)) is None
    assert pseudonyms.forget_keys(settings) == 2
    assert pseudonyms.load_keys(settings) == [newest]
    assert pseudonyms.key_file_is_encrypted(settings) is (vault_key is not None)


def test_a_key_from_the_environment_is_not_rotated(tmp_path) -> None:
    with pytest.raises(SettingsError, match="stands in TANDEM_PSEUDONYM_KEY: put it into a key file"):
        pseudonyms.rotate_key(Settings(home=tmp_path, pseudonym_key=DIGITS))
