"""`tandem explain`: why two products belong together, from the data that the releases were made of."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from tandem.errors import TandemError

FEATURES, VECTORS, SNAPSHOT = Path("data/features/final"), Path("data/vectors/final.npz"), Path("data/snapshot")

A = Annotated[str, typer.Argument(help="product id: what is there")]
B = Annotated[str, typer.Argument(help="product id: what goes with it, or replaces it")]
AsJson = Annotated[bool, typer.Option("--json", help="with every number")]


def explain(a: A, b: B, as_json: AsJson = False) -> None:
    """Say why product B belongs to product A, with counts and how likely chance is."""
    from tandem import files
    from tandem.data import schema
    from tandem.explain import explain as of_pair
    from tandem.features.dataset import Dataset
    from tandem.params import PrivacyParams

    if not (FEATURES / "vocabulary.json").exists() or not VECTORS.exists():
        raise TandemError(f"{FEATURES} or {VECTORS} is missing: `tandem run` or `tandem retrain` makes them")
    known = Dataset.read(FEATURES).with_vectors(**files.read_arrays(VECTORS))
    products = files.read(SNAPSHOT / "products.parquet", schema.PRODUCTS)
    found = of_pair(known, products, a, b, PrivacyParams.read().min_users)
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2, ensure_ascii=False))
        return
    titles = products.set_index("product_id")["title"].reindex([a, b])
    for name, title in zip((a, b), titles, strict=True):
        typer.echo(f"{name}  {title if isinstance(title, str) else '(no title)'}")
    order = f"; {found.first} comes first" if found.first else ""
    typer.echo(f"relation by behaviour: {found.relation or 'withheld'}{order}")
    for statement in found.statements:
        typer.echo(f"- {statement.sentence}")
    if found.withheld:
        typer.echo(f"- withheld, for fewer than privacy.min_users customers stand behind each: {found.withheld}")
