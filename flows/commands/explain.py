"""`tandem explain`: what `/related` shows of two products, and why they belong together by the last run's data."""

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from tandem.errors import TandemError

if TYPE_CHECKING:
    from tandem.explain import Served
    from tandem.features.dataset import Dataset

FEATURES, VECTORS, SNAPSHOT = Path("data/features/final"), Path("data/vectors/final.npz"), Path("data/snapshot")
PARTNERS, NETWORK = Path("data/relations/final/partners.npz"), Path("data/releases/association")
DEPLOYED = Path("data/serving/related")

A = Annotated[str, typer.Argument(help="product id: what is there")]
B = Annotated[str, typer.Argument(help="product id: what goes with it, or replaces it")]
AsJson = Annotated[bool, typer.Option("--json", help="with every number")]


def explain(a: A, b: B, as_json: AsJson = False) -> None:
    """Say what product B is to product A, and why: counts beside what chance would give, likeness, reviews, network."""
    from models.association import explain as network
    from models.association.ranker import Association
    from tandem import files, release
    from tandem.data import schema
    from tandem.explain import explain as of_pair
    from tandem.features.dataset import Dataset
    from tandem.params import PrivacyParams

    for path in (FEATURES / "titles.npz", VECTORS, SNAPSHOT / "manifest.json", PARTNERS):
        if not path.exists():
            raise TandemError(f"{path} is missing: `tandem run` or `tandem retrain` makes it")
    known = Dataset.read(FEATURES).with_vectors(**files.read_arrays(VECTORS))
    products = files.read(SNAPSHOT / "products.parquet", schema.PRODUCTS)
    min_users = PrivacyParams.read().min_users
    found = of_pair(known, _served(known, min_users), products, a, b, min_users)
    if NETWORK.exists() and not found.private:
        learned = release.read(NETWORK, {Association.name: Association})
        assert isinstance(learned.ranker, Association)
        told = network.statements(learned.ranker, learned.vocabulary, known, (a, b), min_users)
        found = replace(found, statements=[*found.statements, *told])
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return
    titles = products.set_index("product_id")["title"].reindex([a, b])
    for name, title in zip((a, b), titles, strict=True):
        typer.echo(f"{name}  {title if isinstance(title, str) else '(no title)'}")
    for statement in found.statements:
        typer.echo(f"- {statement.sentence}")
    if found.withheld:
        typer.echo(
            f"- counts not shown, for fewer than {min_users} known customers stand behind each: {found.withheld}"
        )


def _served(known: "Dataset", min_users: int) -> "Served":
    """What `/related` answers from: the release that is deployed, else what the last run found."""
    from models.rankers import RANKERS
    from tandem import files, release
    from tandem.explain import Served
    from tandem.features.partners import Partners

    if not DEPLOYED.exists():
        return Served.not_yet(Partners.read(PARTNERS), known.vocabulary, min_users)
    data_hash = files.read_json(SNAPSHOT / "manifest.json")["data_hash"]
    return Served.deployed(release.read(DEPLOYED, RANKERS), data_hash)
