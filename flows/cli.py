"""The `tandem` command: the flows by hand, and what they made. Heavy tools are imported when they are used."""

import json
import logging
import os
import shlex
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from typer.core import TyperGroup

from flows.commands import data, explain, privacy, refused, sources
from tandem.errors import TandemError

Result = TypeVar("Result")
PORT = 3000


class Sentences(TyperGroup):
    """Commands whose purposeful errors become one sentence and exit status 1."""

    def invoke(self, ctx: typer.Context) -> Any:  # type: ignore[override]
        """Run the command."""
        try:
            return super().invoke(ctx)
        except TandemError as error:
            typer.echo(f"error: {error}", err=True)
            raise typer.Exit(1) from None


app = typer.Typer(cls=Sentences, no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
app.add_typer(data.app, name="data")
app.add_typer(refused.app, name="refused")
app.add_typer(sources.app, name="sources")
privacy.register(app)
app.command()(explain.explain)

Source = Annotated[str | None, typer.Option(help="a file of sources/; default: the source in params.yaml")]
Raw = Annotated[Path | None, typer.Option(help="the shop's export, a folder or one file; default: what came before")]
Port = Annotated[int, typer.Option(min=1, max=65535, help="port on loopback")]


@app.callback()
def _prepare() -> None:
    """Find which products belong together and what each customer wants next."""
    from flows import prepare
    from stages import shown

    os.environ.setdefault("PREFECT_LOGGING_LEVEL", "CRITICAL")  # errors are told here, once
    prepare()
    handler = shown()
    for name in ("flows", "tandem"):
        logging.getLogger(name).setLevel(logging.INFO)
        logging.getLogger(name).addHandler(handler)
        logging.getLogger(name).propagate = False
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))  # so that children end as well


@app.command()
def run(source: Source = None, raw: Raw = None) -> None:
    """The whole path: take raw files in, train, compare, register, deploy, and ask one question."""
    from flows.deploy import deploy
    from flows.ingest import ingest
    from flows.retrain import retrain

    seconds: dict[str, float] = {}
    _timed(seconds, "ingest", lambda: ingest(source, raw))
    _timed(seconds, "retrain", retrain)
    exchanges = _timed(seconds, "deploy", deploy)
    report()
    first = exchanges[0]
    typer.echo(f"\nPOST {first.path} {json.dumps(first.question)}")
    typer.echo(json.dumps(first.answer, indent=2, ensure_ascii=False))
    typer.echo("\n" + ", ".join(f"{name} {spent:.0f} s" for name, spent in seconds.items()))
    _summarise()


@app.command()
def ingest(source: Source = None, raw: Raw = None) -> None:
    """Take raw files in: copy, version, and switch params.yaml to their source."""
    from flows.ingest import ingest

    ingest(source, raw)


@app.command()
def retrain() -> None:
    """Run the stages that changed, compare with the champion, register, promote."""
    from flows.retrain import retrain

    retrain()
    report()
    _summarise()


@app.command()
def deploy() -> None:
    """Bring the registry's champions into service, after asking them a few questions."""
    from flows.deploy import deploy, present
    from tandem.settings import Settings

    deploy()
    typer.echo(f"deployed {present(Settings()).tag}; a running `tandem serve` has to be started anew to serve it")


@app.command()
def rollback() -> None:
    """Deploy what was deployed before. The registry's champion stays: the next `deploy` brings it back."""
    from flows.deploy import rollback

    typer.echo(f"deployed {rollback().tag} again; a running `tandem serve` has to be started anew")


@app.command()
def bento() -> None:
    """Build the bento of the releases in data/serving with the present code, and print its tag."""
    from flows.deploy import rebuild

    typer.echo(rebuild())


@app.command()
def serve(port: Port = PORT) -> None:
    """Serve what is deployed on loopback until Ctrl-C."""
    from flows import bento
    from flows.deploy import present
    from tandem.settings import Settings

    deployment = present(Settings())
    bento.check_free(port)
    typer.echo(f"{deployment.tag} on http://{bento.HOST}:{port} (OpenAPI page at /), Ctrl-C ends it")
    try:
        raise typer.Exit(bento.serve(deployment.tag, port))
    except KeyboardInterrupt:
        raise typer.Exit(0) from None


@app.command()
def report() -> None:
    """Print the evaluation table, what was decided, bundles, and what each part of the association network is worth."""
    from flows.promote import OUTCOME, REPORTS
    from tandem import files
    from tandem.evaluation import ablation, bundles
    from tandem.evaluation.report import table

    path = REPORTS / "evaluation.json"
    if not path.exists():
        raise TandemError(f"{path} is missing: `tandem run` or `tandem retrain` makes it")
    evaluation = files.read_json(path)
    typer.echo(table(evaluation))
    if OUTCOME.exists():
        for task, outcome in files.read_json(OUTCOME)["tasks"].items():
            champion = outcome["champion"]
            named = f"{champion['name']} (version {champion['version']})" if champion else "none"
            typer.echo(" ".join([f"{task}: champion {named}.", *outcome["notes"]]))
    if (found := REPORTS / "bundles.json").exists():
        typer.echo(f"\n{bundles.table(files.read_json(found))}")
    if (parts := REPORTS / "ablations.json").exists():
        told = files.read_json(parts)
        fits = told["data_hash"] == evaluation["data_hash"]
        typer.echo(f"\n{ablation.table(told) if fits else f'{parts} is of other data: `dvc repro ablate`'}")


@app.command()
def env() -> None:
    """Print shell lines that let every tool find this project's state, quietly: `eval "$(tandem env)"`."""
    from flows import environment

    for name, value in environment().items():
        typer.echo(f"export {name}={shlex.quote(value)}")


@app.command()
def demo(folder: Annotated[Path, typer.Argument(help="a folder that does not exist yet")]) -> None:
    """Write the demo shop's exports into FOLDER/raw and the truth they were made from into FOLDER/truth."""
    from flows.ingest import make_demo

    if folder.exists():
        raise TandemError(f"{folder} exists; name a folder that does not")
    make_demo(folder / "raw", folder / "truth")
    typer.echo(f"wrote {folder / 'raw'} and {folder / 'truth'}")


def _summarise() -> None:
    """Print what all that came to."""
    from flows import summary
    from tandem.settings import Settings

    typer.echo("\n" + "\n".join(summary.lines(Settings())))


def _timed(seconds: dict[str, float], name: str, step: Callable[[], Result]) -> Result:
    began = time.monotonic()
    try:
        return step()
    finally:
        seconds[name] = time.monotonic() - began


if __name__ == "__main__":
    app()
