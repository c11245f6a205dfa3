"""A deployment answers before it counts; a bad one changes nothing; the one before can come back."""

import shutil
from pathlib import Path

import pytest

from flows import deploy, promote
from flows.bento import ServiceError
from flows.registry import Registry, RegistryError
from tandem import files
from tandem.settings import Settings

pytestmark = pytest.mark.slow
RELEASES = Path("data/releases/counting/popular")


def served(task: str) -> str:
    return files.read_json(deploy.SERVING / task / "manifest.json")["content_hash"]


def test_without_a_champion_there_is_nothing_to_deploy(registry: Registry) -> None:
    with pytest.raises(RegistryError, match="tandem-recommend has no champion yet: run `tandem retrain`"):
        deploy.deploy.fn()
    with pytest.raises(ServiceError, match="nothing is deployed yet"):
        deploy.present(Settings())
    with pytest.raises(ServiceError, match="nothing to roll back to"):
        deploy.rollback.fn()


def test_deploy_refuse_and_roll_back(project: Path, registry: Registry, make_release, write_report) -> None:
    first = make_release(RELEASES, "a", "b", "c")
    write_report(first)
    promote.main()
    related, stranger, taker = deploy.deploy.fn()
    assert related.question["product_id"] == "a"
    assert {item["product_id"] for item in related.answer["items"]} == {"b", "c"}
    assert {exchange.answer["model_version"] for exchange in (related, stranger, taker)} == {first}
    before = deploy.present(Settings())
    assert served("recommend") == served("related") == first

    second = make_release(RELEASES, "a", "b", "c", "d")
    write_report(second, champion=first)
    promote.main()
    stored = [path for path in Path(".tandem/mlartifacts").rglob("ranker") if (path.parent / "manifest.json").exists()]
    (broken,) = [path for path in stored if files.read_json(path.parent / "manifest.json")["content_hash"] == second]
    kept = shutil.copytree(broken, "kept")
    shutil.rmtree(broken)
    with pytest.raises(ServiceError):
        deploy.deploy.fn()
    assert deploy.history(Settings()) == [before]
    assert served("related") == first

    shutil.copytree(kept, broken)
    deploy.deploy.fn()
    assert deploy.present(Settings()).releases["related"]["content_hash"] == second
    assert deploy.rollback.fn() == before == deploy.present(Settings())
    assert served("related") == first
    with pytest.raises(ServiceError, match="nothing to roll back to"):
        deploy.rollback.fn()
