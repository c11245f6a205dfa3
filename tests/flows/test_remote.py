"""The remote that the settings name, in DVC's own configuration, and nothing secret with it."""

import configparser
from pathlib import Path

import pytest

from flows import remote
from tandem.errors import SettingsError
from tandem.settings import Settings

LOCAL = Path(".dvc/config.local")


def section() -> dict[str, str]:
    config = configparser.ConfigParser(interpolation=None)
    config.read(LOCAL)
    return dict(config["'remote \"tandem\"'"])


def test_an_s3_address_and_its_server_are_what_dvc_is_told(repository: Path) -> None:
    remote.use(Settings(remote="s3://shop/tandem", remote_endpoint_url="http://127.0.0.1:9000"))
    assert section() == {"url": "s3://shop/tandem", "endpointurl": "http://127.0.0.1:9000"}
    assert remote.address() == "s3://shop/tandem"
    remote.use(Settings(remote="s3://shop/tandem"))
    assert section() == {"url": "s3://shop/tandem"}


def test_a_setting_taken_back_leaves_what_was_there_before(repository: Path) -> None:
    remote.use(Settings(remote="s3://shop/tandem"))
    remote.use(Settings())
    assert remote.address() == "../.tandem/dvc"


def test_the_same_setting_writes_nothing_anew(repository: Path) -> None:
    remote.use(Settings(remote="s3://shop/tandem"))
    written = LOCAL.stat().st_mtime_ns
    remote.use(Settings(remote="s3://shop/tandem"))
    assert LOCAL.stat().st_mtime_ns == written


def test_a_folder_is_taken_relative_to_the_project(repository: Path, tmp_path: Path) -> None:
    remote.use(Settings(remote="../store"))
    assert (Path(".dvc") / remote.address()).resolve() == tmp_path / "store"
    written = LOCAL.stat().st_mtime_ns
    remote.use(Settings(remote="../store"))
    assert LOCAL.stat().st_mtime_ns == written


def test_what_someone_configured_in_dvc_stands_unless_a_setting_says_otherwise(repository: Path) -> None:
    LOCAL.write_text("['remote \"local\"']\n    url = s3://their/own\n")
    remote.use(Settings(home=Path("elsewhere")))
    assert remote.address() == "s3://their/own"
    remote.use(Settings(remote="s3://shop/tandem"))
    assert remote.address() == "s3://shop/tandem"
    remote.use(Settings())
    assert remote.address() == "s3://their/own"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"remote": "s3://key:secret@shop/tandem"}, "TANDEM_REMOTE holds more than an address"),
        ({"remote": "s3://shop/tandem?secret=1"}, "TANDEM_REMOTE holds more than an address"),
        ({"remote": "gs://shop/tandem"}, "TANDEM_REMOTE = gs://shop/tandem: expected a folder or s3://bucket/path"),
        ({"remote": "s3:///tandem"}, "TANDEM_REMOTE = s3:///tandem: expected a folder or s3://bucket/path"),
        (
            {"remote": "s3://shop", "remote_endpoint_url": "http://u:secret@host"},
            "TANDEM_REMOTE_ENDPOINT_URL holds more than an address",
        ),
        (
            {"remote": "s3://shop", "remote_endpoint_url": "host:9000"},
            "TANDEM_REMOTE_ENDPOINT_URL = host:9000: expected http(s)://host:port",
        ),
    ],
)
def test_an_address_that_does_not_fit_is_refused_and_a_secret_in_it_not_repeated(
    repository: Path, given: dict[str, str], said: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        remote.use(Settings(**given))
    assert str(refused.value).startswith(said)
    assert "secret" not in str(refused.value)
    assert not LOCAL.exists()
