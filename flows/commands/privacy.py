"""`tandem erase`, `tandem who` and `tandem keys`: people and what stands for them. Heavy tools are imported late."""

import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from flows.erasure import Erased

keys = typer.Typer(help="The key of pseudonyms: see, encrypt, replace, forget retired ones.", no_args_is_help=True)

User = Annotated[
    str | None, typer.Argument(help="the shop's own id; better left out: it is asked for, or read from standard input")
]


def register(app: typer.Typer) -> None:
    """Add the commands to `tandem`."""
    app.command()(erase)
    app.command()(who)
    app.add_typer(keys, name="keys")


def erase(
    user: User = None,
    rebuild: Annotated[bool, typer.Option(help="make the tables anew, up to the snapshot")] = True,
    prove_absence: Annotated[
        bool, typer.Option("--prove-absence", help="write a proof even if nobody by that id is found")
    ] = False,
) -> None:
    """Remove a person from everything that is kept, and write a proof in reports/erasure."""
    from flows.erasure import erase

    done = erase(_user(user), rebuild=rebuild, prove_absence=prove_absence)
    if done.known:
        _tell_erased(done)
    else:
        _tell_unknown(done)


def _tell_erased(done: "Erased") -> None:
    counts = ", ".join(f"{what}: {count}" for what, count in done.removed.items())
    typer.echo(f"{done.proof}: no trace is left; {counts or 'a run that was cut short had removed all'}")
    if done.not_rebuilt:
        typer.echo(f"warning: the tables could not be made anew: {done.not_rebuilt}", err=True)
    typer.echo("Next: `tandem retrain`, `tandem deploy`, and a running `tandem serve` has to be started anew.")


def _tell_unknown(done: "Erased") -> None:
    if done.earlier:
        typer.echo(f"nothing is held of this person, who was erased before: {done.earlier}")
    else:
        hint = "" if done.proof else "; `--prove-absence` writes down that nothing is held"
        typer.echo(f"warning: nobody by that id was found; check the spelling{hint}", err=True)
    if done.proof:
        typer.echo(f"{done.proof}: everything was searched, nothing is held of anybody by that id")


def who(pseudonym: Annotated[str, typer.Argument(help="32 hex digits")]) -> None:
    """Print the shop's own id of a pseudonym, where a map is kept; the look-up is recorded."""
    from flows import prepare
    from tandem.privacy import identities

    typer.echo(identities.who(prepare(), pseudonym.strip().lower()))


@keys.command()
def status() -> None:
    """Print which keys there are (ids only) and how they are kept."""
    from flows.keys import status

    found = status()
    kept = "encrypted" if found.encrypted else "in the open"
    typer.echo(f"present key    {found.present}, {kept}, {found.place}")
    typer.echo(f"retired keys   {', '.join(found.retired) or 'none'}")
    typer.echo(f"raw data       {found.registered or 'not registered yet'}")
    typer.echo(f"served         {', '.join(found.served) or 'nothing'}")


@keys.command()
def rotate() -> None:
    """Make a new key: the next retrain gives every user a new pseudonym."""
    from flows.keys import rotate

    typer.echo(f"pseudonym key {rotate()}; next: `tandem retrain`, `tandem deploy`, `tandem keys forget`")


@keys.command()
def encrypt() -> None:
    """Encrypt the key file with TANDEM_VAULT_KEY."""
    from flows.keys import encrypt

    typer.echo("encrypted" if encrypt() else "was encrypted already")


@keys.command()
def forget() -> None:
    """Remove retired keys for good."""
    from flows.keys import forget

    typer.echo(f"forgot {forget()} retired keys")


def _user(given: str | None) -> str:
    if given is not None:
        return given
    return typer.prompt("user id", hide_input=True) if sys.stdin.isatty() else sys.stdin.readline().rstrip("\r\n")
