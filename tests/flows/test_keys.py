"""The key of pseudonyms is replaced without anybody being left without an answer."""

from pathlib import Path

import pytest

from flows import keys
from flows.ingest import KEY_ID, register_key
from models.rankers import RANKERS
from services import shelf
from tandem.errors import ReleaseError, SettingsError
from tandem.privacy import pseudonyms
from tandem.settings import Settings

pytestmark = pytest.mark.slow  # imports the real tools


def test_a_rotation_makes_a_new_key_and_drops_what_was_read_under_the_old_one(repository: Path) -> None:
    register_key(Settings())
    old = KEY_ID.read_text().strip()
    (Settings().home / "parts" / "shop").mkdir(parents=True)
    new = keys.rotate()
    assert new != old
    assert KEY_ID.read_text().strip() == new
    assert not (Settings().home / "parts").exists()
    assert (keys.status().present, keys.status().retired, keys.status().registered) == (new, [old], new)
    pseudonyms.registered_key(Settings(), KEY_ID)


def test_a_rotation_that_was_cut_short_is_finished_without_another_key(repository: Path) -> None:
    register_key(Settings())
    new = pseudonyms.key_id(pseudonyms.rotate_key(Settings()))  # and then the machine stopped
    with pytest.raises(SettingsError, match="was registered with pseudonym key"):
        pseudonyms.registered_key(Settings(), KEY_ID)
    assert keys.rotate() == new
    assert KEY_ID.read_text().strip() == new
    assert len(pseudonyms.load_keys(Settings())) == 2


def test_the_service_knows_its_users_by_the_retired_key_until_the_next_release(repository: Path, make_release) -> None:
    register_key(Settings())
    old = pseudonyms.load_key(Settings())
    for task in ("recommend", "related"):
        make_release(Path("data/serving", task), "a", "b")
    keys.rotate()
    serving = Path("data/serving")
    assert shelf.with_key(serving, "recommend", pseudonyms.load_keys(Settings()), RANKERS)[0] == old
    with pytest.raises(SettingsError, match=r"retired pseudonym key .* is still needed by data/serving"):
        keys.forget()

    for task in ("recommend", "related"):
        make_release(Path("data/serving", task), "a", "b")  # under the new key
    assert keys.forget() == 1
    present = pseudonyms.load_keys(Settings())
    assert [shelf.with_key(serving, "recommend", present, RANKERS)[0]] == present


def test_a_service_without_the_key_of_its_release_does_not_start(repository: Path, make_release, monkeypatch) -> None:
    for task in ("recommend", "related"):
        make_release(Path("data/serving", task), "a", "b")
    monkeypatch.setenv("TANDEM_PSEUDONYM_KEY", "ab" * 32)
    with pytest.raises(ReleaseError, match="was made with pseudonym key"):
        shelf.with_key(Path("data/serving"), "recommend", pseudonyms.load_keys(Settings()), RANKERS)


def test_keys_are_encrypted_in_place_and_the_status_says_so(repository: Path, monkeypatch) -> None:
    register_key(Settings())
    assert not keys.status().encrypted
    monkeypatch.setenv("TANDEM_VAULT_KEY", "cd" * 32)
    assert keys.encrypt()
    assert not keys.encrypt()
    assert keys.status().encrypted


def test_data_of_an_unknown_key_is_not_rotated(repository: Path) -> None:
    register_key(Settings())
    KEY_ID.write_text("00000000\n")
    with pytest.raises(SettingsError, match="names pseudonym key 00000000, which is not at hand"):
        keys.rotate()
