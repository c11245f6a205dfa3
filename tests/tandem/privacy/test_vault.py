import json
import os
import stat
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tandem.errors import SettingsError
from tandem.privacy import vault
from tandem.privacy.vault import VaultError
from tandem.settings import Settings

KEY = bytes(range(32))
OTHER = bytes(32)


def entries(settings: Settings) -> list[dict[str, str]]:
    return [json.loads(line) for line in settings.access_log.read_text().splitlines()]


@given(st.binary(max_size=300))
def test_what_is_sealed_comes_back_and_does_not_show(content) -> None:
    sealed = vault.seal(KEY, content, "a purpose")
    assert vault.unseal(KEY, sealed, "a purpose") == content
    assert len(content) < 4 or content not in sealed.removeprefix(vault.MAGIC)


def test_a_sealed_file_is_aes_256_gcm_as_another_program_would_read_it() -> None:
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    sealed = vault.seal(KEY, b"secret", "p").removeprefix(b"tandem vault 1\n")
    nonce, encrypted, tag = sealed[:12], sealed[12:-16], sealed[-16:]
    decryptor = Cipher(algorithms.AES(KEY), modes.GCM(nonce, tag)).decryptor()
    decryptor.authenticate_additional_data(b"p")
    assert decryptor.update(encrypted) + decryptor.finalize() == b"secret"


def test_the_same_content_is_sealed_differently_every_time() -> None:
    assert len({vault.seal(KEY, b"x", "p") for _ in range(100)}) == 100


def test_another_key_another_purpose_and_every_altered_byte_are_refused() -> None:
    sealed = vault.seal(KEY, b"secret", "p")
    with pytest.raises(VaultError, match="does not open the sealed p"):
        vault.unseal(OTHER, sealed, "p")
    with pytest.raises(VaultError, match="does not open the sealed q"):
        vault.unseal(KEY, sealed, "q")
    for place in range(len(vault.MAGIC), len(sealed)):
        altered = sealed[:place] + bytes([sealed[place] ^ 1]) + sealed[place + 1 :]
        with pytest.raises(VaultError):
            vault.unseal(KEY, altered, "p")
    with pytest.raises(VaultError, match="cut short"):
        vault.unseal(KEY, sealed[:30], "p")


def test_every_access_is_recorded_and_a_failed_one_says_so(tmp_path) -> None:
    settings = Settings(home=tmp_path / "home", vault_key=KEY.hex())
    vault.write(tmp_path / "file", vault.seal(KEY, b"secret", "p"))
    assert vault.read(settings, tmp_path / "file", "p") == b"secret"
    for wrong in (None, OTHER.hex(), "short"):
        with pytest.raises(SettingsError):
            vault.read(Settings(home=settings.home, vault_key=wrong), tmp_path / "file", "p")
    said = entries(settings)
    assert [(line["action"], line["outcome"]) for line in said] == [("read p", "done"), *[("read p", "failed")] * 3]
    assert {line["pid"] for line in said} == {str(os.getpid())}
    assert KEY.hex() not in settings.access_log.read_text()
    assert stat.S_IMODE(settings.access_log.stat().st_mode) == 0o600


def test_without_the_key_the_message_says_what_to_set(tmp_path) -> None:
    vault.write(tmp_path / "file", vault.seal(KEY, b"secret", "p"))
    with pytest.raises(VaultError, match="is encrypted: set TANDEM_VAULT_KEY"):
        vault.read(Settings(home=tmp_path), tmp_path / "file", "p")


def test_no_access_where_none_can_be_recorded(tmp_path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    vault.write(tmp_path / "file", vault.seal(KEY, b"secret", "p"))
    with pytest.raises(SettingsError, match="no access unseen"):
        vault.read(Settings(home=tmp_path / "home", vault_key=KEY.hex()), tmp_path / "file", "p")


def test_a_key_of_another_length_is_refused_and_not_shown(tmp_path) -> None:
    with pytest.raises(SettingsError, match="TANDEM_VAULT_KEY holds 6 characters where 64 hex digits") as caught:
        vault.vault_key(Settings(home=tmp_path, vault_key="abcdef"))
    assert "abcdef" not in str(caught.value)


def test_a_file_is_written_for_its_owner_alone_and_leaves_no_pieces(tmp_path) -> None:
    vault.write(tmp_path / "deep" / "file", b"one")
    vault.write(tmp_path / "deep" / "file", b"two")
    assert (tmp_path / "deep" / "file").read_bytes() == b"two"
    assert stat.S_IMODE((tmp_path / "deep" / "file").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["file"]


def test_lines_of_many_writers_do_not_mix(tmp_path) -> None:
    settings = Settings(home=tmp_path)
    threads = [threading.Thread(target=lambda: [vault.record(settings, "read p") for _ in range(50)]) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entries(settings)) == 400
