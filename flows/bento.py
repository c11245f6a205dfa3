"""BentoML: what is built and how it is started. The only place of the flows that calls it."""

import contextlib
import errno
import logging
import shutil
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from flows import processes
from tandem import files
from tandem.errors import TandemError

log = logging.getLogger(__name__)

NAME = "tandem"
CARRIED = ("tandem", "models", "services", "bentofile.yaml")
"""What a bento carries beside the releases."""

HOST = "127.0.0.1"
START_S = 120
POLL_S = 0.2


class ServiceError(TandemError, RuntimeError):
    """The service cannot be built or started, or does not answer as it should."""


def assemble(folder: Path) -> None:
    """Copy all that a bento carries beside the releases from the current folder into `folder`."""
    for name in CARRIED:
        source = Path(name)
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__", ".*"))
        else:
            shutil.copy(source, folder / name)


def build(folder: Path) -> str:
    """Tag of the bento made of `folder`: its version is the hash of its content, so equal content is built once.

    Raises:
        ServiceError: BentoML cannot build it; says what it said.
    """
    tag = f"{NAME}:{files.hash_folder(folder)[:16]}"
    if not _holds(tag):
        log.info("building %s", tag)
        _run("build", "--bentofile", "bentofile.yaml", "--version", tag.partition(":")[2], cwd=folder)
    return tag


@contextlib.contextmanager
def serving(tag: str, port: int | None = None) -> Iterator[str]:
    """Address of the bento `tag`, served and ready on loopback; the server is gone when the block ends.

    It has a home of its own: a server empties the counters of its home when it starts, those of a running one as well.

    Raises:
        ServiceError: it ended, or was not ready in time; says what it wrote last.
    """
    port = port or free_port()
    with (
        tempfile.TemporaryFile("w+") as output,
        tempfile.TemporaryDirectory() as home,
        _serve(str(_folder(tag)), port, {"BENTOML_HOME": home}, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        address = f"http://{HOST}:{port}"
        if not _gets_ready(address, process):
            output.seek(0)
            raise ServiceError(f"{tag} did not get ready in {START_S} s:\n{_tail(output.read())}")
        yield address


def check_free(port: int) -> None:
    """Find out whether a server can listen on the port of loopback.

    Raises:
        ServiceError: it cannot; says why, and which port is free.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as servers do: who left a moment ago is no bar
        try:
            probe.bind((HOST, port))
        except OSError as error:
            taken = error.errno == errno.EADDRINUSE
            why = "is taken, perhaps by an earlier `tandem serve`" if taken else f"cannot be used ({error.strerror})"
            other = free_port()
            raise ServiceError(
                f"port {port} of {HOST} {why}; choose another: `tandem serve --port {other}`, `make serve PORT={other}`"
            ) from None


def serve(tag: str, port: int) -> int:
    """Serve the bento `tag` on loopback in the foreground until it ends, and return its exit status."""
    with _serve(tag, port) as process:
        return process.wait()


def free_port() -> int:
    """A port of loopback on which nothing listens."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def _folder(tag: str) -> Path:
    """Where the store keeps the bento `tag`."""
    name, version = tag.split(":")
    return Path(processes.environment()["BENTOML_HOME"]) / "bentos" / name / version


def _serve(
    bento: str, port: int, own: dict[str, str] | None = None, **options: Any
) -> AbstractContextManager[subprocess.Popen[str]]:
    """The server of a bento, a tag or a folder, which answers from the releases it carries and no others."""
    environment = {name: value for name, value in processes.environment().items() if name != "TANDEM_SERVING"}
    start = ("bentoml", "serve", bento, "--host", HOST, "--port", str(port))
    return processes.start(*start, env=environment | (own or {}), **options)


def _gets_ready(address: str, process: subprocess.Popen[str]) -> bool:
    ends = time.monotonic() + START_S
    while time.monotonic() < ends and process.poll() is None:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{address}/readyz", timeout=5) as answer:
            if answer.status == 200:
                return True
        time.sleep(POLL_S)
    return False


def _holds(tag: str) -> bool:
    with processes.start("bentoml", "get", tag, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        return process.wait() == 0


def _run(*arguments: str, cwd: Path) -> None:
    with processes.start("bentoml", *arguments, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=cwd) as process:
        text, _ = process.communicate()
    if process.returncode != 0:
        raise ServiceError(f"bentoml {arguments[0]} failed:\n{_tail(text)}")


def _tail(text: str, lines: int = 15) -> str:
    return "\n".join(text.splitlines()[-lines:])
