import json

import pyarrow as pa
import pytest

from tandem.errors import SettingsError
from tandem.privacy import identities, pseudonyms, vault
from tandem.privacy.vault import VaultError
from tandem.settings import Settings

KEY = bytes(range(32))
ID = pseudonyms.key_id(KEY)


@pytest.fixture
def settings(tmp_path) -> Settings:
    return Settings(home=tmp_path, vault_key="ab" * 32)


def chunk(*users: str | None) -> tuple[pa.Array, pa.Array]:
    made = [user and pseudonyms.of(KEY, user) for user in users]
    return pa.array(users, pa.string()), pa.array(made, pa.string())


def test_a_pseudonym_leads_back_to_its_user(settings) -> None:
    assert identities.keep(settings, ID, iter([chunk("anna", "ben", None), chunk("anna")])) == 2
    assert identities.who(settings, pseudonyms.of(KEY, "ben")) == "ben"
    stored = settings.identities.read_bytes()
    assert b"anna" not in stored
    assert pseudonyms.of(KEY, "anna").encode() not in stored


def test_new_users_are_added_and_another_key_begins_a_new_map(settings) -> None:
    identities.keep(settings, ID, [chunk("anna")])
    assert identities.keep(settings, ID, [chunk("ben", "anna")]) == 2
    assert identities.keep(settings, "0badc0de", [chunk("cem")]) == 1
    with pytest.raises(SettingsError, match="does not hold this pseudonym"):
        identities.who(settings, pseudonyms.of(KEY, "anna"))


def test_a_forgotten_user_is_gone_and_the_others_stay(settings) -> None:
    assert identities.forget(settings, ["00"]) == 0
    identities.keep(settings, ID, [chunk("anna", "ben")])
    assert identities.forget(settings, [pseudonyms.of(KEY, "anna")]) == 1
    assert identities.read(settings).to_pylist() == [{"pseudonym": pseudonyms.of(KEY, "ben"), "user_id": "ben"}]
    assert identities.keep(settings, ID, [chunk("cem")]) == 2


def test_without_a_key_of_the_vault_no_map_is_kept(tmp_path) -> None:
    with pytest.raises(VaultError, match="TANDEM_VAULT_KEY is not set"):
        identities.keep(Settings(home=tmp_path), ID, [chunk("anna")])
    assert not list(tmp_path.iterdir())


def test_every_look_is_recorded_and_no_id_with_it(settings) -> None:
    identities.keep(settings, ID, [chunk("anna")])
    identities.who(settings, pseudonyms.of(KEY, "anna"))
    with pytest.raises(VaultError):
        identities.who(Settings(home=settings.home, vault_key="cd" * 32), pseudonyms.of(KEY, "anna"))
    said = [json.loads(line) for line in settings.access_log.read_text().splitlines()]
    assert [(line["action"], line["outcome"]) for line in said] == [
        ("write identities", "done"),
        ("read identities", "done"),
        ("look up an identity", "done"),
        ("read identities", "failed"),
    ]
    assert "anna" not in settings.access_log.read_text()
    assert pseudonyms.of(KEY, "anna") not in settings.access_log.read_text()


def test_a_sealed_key_file_does_not_pass_for_a_map(settings) -> None:
    vault.write(settings.identities, vault.seal(bytes.fromhex("ab" * 32), b"x", pseudonyms.PURPOSE))
    with pytest.raises(VaultError, match="sealed identities"):
        identities.read(settings)


def test_where_no_map_is_kept_the_message_says_how_one_would_be(settings) -> None:
    with pytest.raises(SettingsError, match="keep_identities"):
        identities.who(settings, "00")
