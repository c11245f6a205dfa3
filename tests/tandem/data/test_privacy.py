import stat

import pandas as pd
import pytest

from tandem.data import privacy
from tandem.errors import SettingsError
from tandem.settings import Settings

KEY = bytes.fromhex("0b" * 20 + "00" * 12)
DIGITS = "ab" * 32


def test_a_pseudonym_is_the_hmac_of_rfc_4231() -> None:
    # Test case 1: key 20 bytes 0x0b (HMAC pads with zero bytes, so ours of 32 is the same key), data "Hi There".
    assert privacy.pseudonym(KEY, "Hi There") == "b0344c61d8db38535ca8afceaf0bf12b"


def test_other_users_and_other_keys_have_other_pseudonyms() -> None:
    assert len({privacy.pseudonym(key, user) for key in (KEY, bytes(32)) for user in ("1", "2", "10")}) == 6


def test_a_missing_id_stays_missing_and_equal_ids_stay_equal() -> None:
    found = privacy.pseudonyms(KEY, pd.Series(["a", None, "a", "b"]))
    assert found.isna().tolist() == [False, True, False, False]
    assert found[0] == found[2] == privacy.pseudonym(KEY, "a") != found[3]


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
