"""What DVC stores, object by object: its cache and every remote that it knows, folders and S3 alike."""

import json
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from flows import remote, versions
from flows.versions import PipelineError
from tandem.settings import Settings

LISTING = ".dir"
"""How the name of an object ends that lists a folder's files."""


@dataclass(frozen=True)
class Store:
    """A cache or a remote: objects by the MD5 of their content."""

    name: str
    odb: Any  # dvc_data.hashfile.db.HashFileDB

    def names(self) -> list[str]:
        """Names of all objects."""
        return sorted(self.odb._list_oids()) if self.odb.fs.exists(self.odb.path) else []

    def open(self, name: str) -> IO[bytes]:
        """An object's bytes."""
        return self.odb.fs.open(self.odb.oid_to_path(name), "rb")

    def put(self, name: str, path: Path) -> None:
        """Lay an object out as a file to read: a link where the store is on this machine, else a copy."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if self.folder:
            path.symlink_to(self.odb.oid_to_path(name))
            return
        with self.open(name) as stream, path.open("wb") as copy:
            shutil.copyfileobj(stream, copy)

    def listing(self, name: str) -> dict[str, str]:
        """What a listing lists: object by path within its folder."""
        with self.open(name) as stream:
            return {entry["relpath"]: entry["md5"] for entry in json.load(stream)}

    def delete(self, names: Iterable[str]) -> None:
        """Delete objects for good; DVC forgets that they were there."""
        from dvc_data.hashfile.db import get_index

        for name in names:
            self.odb.fs.remove(self.odb.oid_to_path(name))
        get_index(self.odb).clear()

    def earlier_versions(self) -> str:
        """What a bucket may keep of objects that were deleted, in words; empty where nothing is kept."""
        from botocore.exceptions import BotoCoreError

        if self.odb.fs.protocol != "s3":
            return ""
        bucket = self.odb.path.partition("/")[0]
        try:
            kept = self.odb.fs.fs.is_bucket_versioned(bucket)
        except (OSError, BotoCoreError) as error:
            return f"whether bucket {bucket} keeps deleted objects could not be asked ({error})"
        return f"bucket {bucket} keeps earlier versions of deleted objects: remove them there" if kept else ""

    @property
    def folder(self) -> Path | None:
        """Where it is, if it is a folder of this machine."""
        return Path(self.odb.path) if self.odb.fs.protocol == "local" else None


@contextmanager
def stores(settings: Settings) -> Iterator[list[Store]]:
    """DVC's cache and all its remotes.

    Raises:
        PipelineError: a remote cannot be reached.
    """
    from botocore.exceptions import BotoCoreError
    from dvc.exceptions import DvcException
    from dvc.repo import Repo

    remote.use(settings)
    versions.clear()
    try:
        with Repo() as repo:
            far = [Store(f"DVC remote {name}", repo.cloud.get_remote_odb(name)) for name in repo.config["remote"]]
            yield [Store("DVC cache", repo.cache.local), *_apart(far)]
    except (DvcException, BotoCoreError) as error:
        raise PipelineError(f"DVC's stores: {' '.join(str(error).split())}") from error


def _apart(found: list[Store]) -> list[Store]:
    """The stores, each place once."""
    return list({(store.odb.fs.protocol, store.odb.path): store for store in found}.values())
