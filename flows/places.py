"""Where a person may stand: files and databases of the project, objects of DVC's stores, rows of raw files."""

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flows import objects
from flows.objects import LISTING, Store
from flows.people import Person
from flows.registry import Registry, local
from tandem.data import removal
from tandem.data.sources import Source
from tandem.errors import SourceError
from tandem.privacy import databases, traces
from tandem.privacy.traces import Search
from tandem.settings import Settings

PLACES = (Path("data"), Path("reports"), Path(".dvc"), Path("dvc_plots"))
"""What is searched in the project's folder; git holds code and pointers, no data."""

TOOLS = ("PREFECT_HOME", "BENTOML_HOME")
"""Variables that may move a tool's state out of `Settings.home`."""

DATABASES = ("PREFECT_API_DATABASE_CONNECTION_URL", "PREFECT_SERVER_DATABASE_CONNECTION_URL", "TANDEM_TRACKING_URI")
"""Variables that may name a database which is no file of this project."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")


def searched(settings: Settings) -> list[Path]:
    """Folders that are searched, none within another."""
    outside = [folder for address in Registry(settings).artifacts() if (folder := local(address)) is not None]
    outside += [Path(os.environ[name]) for name in TOOLS if name in os.environ]
    wanted = [path.resolve() for path in (*PLACES, settings.home, *outside) if path.exists()]
    if settings.serving and settings.serving.exists():
        wanted.append(settings.serving.resolve())
    return [
        path
        for path in dict.fromkeys(wanted)
        if not any(path != other and path.is_relative_to(other) for other in wanted)
    ]


def holders(settings: Settings, search: Search) -> Iterator[Path]:
    """Every file that holds the person, outside DVC's stores."""
    for path in _files(settings):
        if path == databases.of(path):
            databases.settle(path)
        try:
            found = search.in_file(path)
        except FileNotFoundError:  # what stands beside a database comes and goes
            continue
        if found:
            yield path


def _files(settings: Settings) -> Iterator[Path]:
    """Every file of the places, but for DVC's stores and what is encrypted."""
    with objects.stores(settings) as stores:
        apart = [store.folder.resolve() for store in stores if store.folder]
    sealed = {settings.key_file.resolve(), settings.identities.resolve()}
    for place in searched(settings):
        for path in sorted(place.rglob("*")):
            inside = any(path.is_relative_to(folder) for folder in apart)
            if path.is_file() and not path.is_symlink() and not inside and path.resolve() not in sealed:
                yield path


def objects_with(store: Store, person: Person, search: Search, known: Iterable[str] = ()) -> set[str]:
    """Names of the store's objects that hold the person, `known` ones among them.

    Files of earlier versions of raw data are read as `ingest` would read them.
    """
    names = set(store.names())
    theirs = names & set(known)
    theirs |= {name for name in names - theirs if not name.endswith(LISTING) and _holds(store, name, search)}
    return theirs | _old_raw(store, person, names - theirs)


def _holds(store: Store, name: str, search: Search) -> bool:
    with store.open(name) as stream, tempfile.SpooledTemporaryFile(traces.IN_MEMORY) as copy:
        shutil.copyfileobj(stream, copy, traces.CHUNK)
        return search.in_stream(copy, f"{store.name}: {name}")


def _old_raw(store: Store, person: Person, names: set[str]) -> set[str]:
    """Objects that are files of earlier versions of raw data and hold rows of the person.

    The files of a listing are laid out as a folder.
    """
    listings = sorted((store.listing(name) for name in names if name.endswith(LISTING)), key=len, reverse=True)
    seen: set[str] = set()
    theirs: set[str] = set()
    for listed in listings:
        here = {path: name for path, name in listed.items() if name in names}
        if set(here.values()) <= seen:
            continue
        seen |= set(here.values())
        theirs |= _read_as_raw(store, here, person)
    return theirs


def _read_as_raw(store: Store, listed: dict[str, str], person: Person) -> set[str]:
    """Objects with rows of the person, as far as a block of a source reads the files; others are none of its."""
    theirs: set[str] = set()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for path, name in listed.items():
            store.put(name, folder / path)
        for source in person.described:
            for alone in _block_by_block(source):
                with contextlib.suppress(SourceError):
                    cuts = removal.find(alone, folder, person.user_id)
                    theirs |= {listed[cut.export.path.relative_to(folder).as_posix()] for cut in cuts}
    return theirs


def _block_by_block(source: Source) -> Iterator[Source]:
    """The source with each of its blocks alone: a folder that lacks files of the others can still be read."""
    nothing: dict[str, Any] = dict.fromkeys(source.blocks, ())
    for table, blocks in source.blocks.items():
        for block in blocks:
            yield source.model_copy(update={**nothing, table: (block,)})


def not_reached(settings: Settings, stores: Iterable[Store]) -> list[str]:
    """What this machine cannot search: proofs do not speak of it."""
    reached = searched(settings)
    found = [address for address in Registry(settings).artifacts() if local(address) is None]
    found += [f"the database that {name} names" for name in DATABASES if _is_elsewhere(os.environ.get(name), reached)]
    server = urlsplit(os.environ.get("PREFECT_API_URL", "")).hostname
    found += [f"the database of Prefect's server on {server}"] if server and server not in LOOPBACK else []
    return found + [f"{store.name}: {kept}" for store in stores if (kept := store.earlier_versions())]


def _is_elsewhere(address: str | None, reached: Iterable[Path]) -> bool:
    """Whether a database's address is none of a file that is searched."""
    if not address:
        return False
    scheme, _, place = address.partition(":///")
    path = Path(place).resolve()
    return not (scheme.startswith(("sqlite", "file")) and any(path.is_relative_to(folder) for folder in reached))
