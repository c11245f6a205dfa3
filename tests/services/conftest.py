"""A shop small enough to count by hand, its releases made by a real ranker, and the service over them."""

import importlib
import json
import os
import socket
import subprocess
import sys
import time
import urllib.request
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any, ClassVar, Self

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray
from starlette.testclient import TestClient

from services import shelf
from services.shelf import Shelf
from tandem import release
from tandem.data import schema
from tandem.evaluation.cases import Cases
from tandem.features import dataset, demand, histories
from tandem.features.bundles import LARGEST, Bundles
from tandem.features.dataset import Dataset
from tandem.features.demand import Demand
from tandem.features.histories import Histories
from tandem.features.partners import Partners
from tandem.features.relations import COMPLEMENT, SUBSTITUTE
from tandem.features.vocabulary import Vocabulary
from tandem.params import CountingParams, FeaturesParams
from tandem.privacy import pseudonyms
from tandem.ranking.counting import COUNTING

KEY = bytes(range(32))
AS_OF = pd.Timestamp("2026-06-30", tz="UTC")
WEIGHT = {"view": 0.1, "purchase": 1.0}
FEATURES = FeaturesParams(target_kinds=("purchase",), kind_weight=WEIGHT)

PRODUCTS = {  # id: category path, brand, price; sorted, so that the first has index 1
    "cable": (["electronics"], None, 5.0),
    "case-a": (["electronics", "cases"], "Acme", 20.0),
    "case-b": (["electronics", "cases"], "Bolt", 15.0),
    "cup": (["home"], None, None),
    "phone-a": (["electronics", "phones"], "Acme", 500.0),
    "phone-b": (["electronics", "phones"], "Bolt", 300.0),
    "tea": (["food", "drinks"], "Leaf", 4.0),
}
ORDERS = [  # user, day, products; demand of the last 7 days: cable 3, phone-a 3, case-a 2, case-b 2, phone-b 2
    ("fred", "2026-03-01", ["cup"]),  # before the last 60 days
    ("emil", "2026-06-10", ["tea"]),  # before the last 7 days
    ("finn", "2026-06-24", ["phone-a"]),
    ("dora", "2026-06-25", ["phone-b", "case-b", "cable"]),
    ("cleo", "2026-06-26", ["phone-b", "case-b"]),
    ("bert", "2026-06-27", ["phone-a", "case-a", "cable"]),
    ("anna", "2026-06-28", ["phone-a", "case-a"]),
    (None, "2026-06-29", ["cable"]),
]


LIKENESS = (0, 0, 0, 0, 0, 0)
PARTNERS = [  # asked, partner, relation, probability, first, counts in order of partners.COUNTS, users behind each
    ("phone-a", "case-a", COMPLEMENT, 0.9, 1, (2, 1, 0, 3, 0, 0), (2, 1, 0, 2, 0, 0)),
    ("phone-a", "cable", COMPLEMENT, 0.6, 0, (3, 0, 0, 0, 0, 0), (1, 0, 0, 0, 0, 0)),
    ("phone-a", "case-b", COMPLEMENT, 0.3, 1, LIKENESS, LIKENESS),
    ("phone-a", "phone-b", SUBSTITUTE, 0.8, 0, LIKENESS, LIKENESS),
    ("case-b", "case-a", SUBSTITUTE, 0.7, 0, (0, 0, 0, 9, 0, 0), (0, 0, 0, 1, 0, 0)),
    ("case-b", "phone-b", SUBSTITUTE, 0.2, 0, (0, 0, 0, 5, 2, 0), (0, 0, 0, 4, 1, 0)),
    ("phone-b", "case-b", COMPLEMENT, float("nan"), -1, (0, 0, 2, 0, 0, 0), (0, 0, 2, 0, 0, 0)),
]


class Together:
    """Sum over the history of how many baskets hold both products: a whole ranker in few lines."""

    name = "together"
    tasks: ClassVar = ("recommend", "related")

    def __init__(self, counts: sp.csr_array | None = None) -> None:
        self.counts = counts

    def fit(self, dataset: Dataset, validation: Cases | None = None) -> Self:
        counts = sp.csr_array(dataset.baskets.content.T @ dataset.baskets.content)
        counts.setdiag(0)
        counts.eliminate_zeros()
        return type(self)(counts)

    def refit(self, dataset: Dataset) -> Self:
        return self.fit(dataset)

    def scores(self, histories: Histories, demand: Demand) -> NDArray[np.float32]:
        counted = histories.matrix(np.ones(len(histories.product))) @ self.counts
        return counted.toarray().astype(np.float32)

    def because(self, histories: Histories, items: NDArray[np.integer]) -> NDArray[np.int32]:
        why = np.zeros(items.shape, np.int32)
        for row in range(len(histories)):
            own = np.unique(histories.product[histories.offsets[row] : histories.offsets[row + 1]])
            votes = self.counts[own][:, items[row]].toarray()
            why[row] = np.where(votes.max(axis=0) > 0, own[votes.argmax(axis=0)], 0)
        return why

    def save(self, folder: Path) -> None:
        sp.save_npz(folder / "counts.npz", self.counts)

    @classmethod
    def load(cls, folder: Path) -> Self:
        return cls(sp.csr_array(sp.load_npz(folder / "counts.npz")))


RANKERS = {"together": Together}


def product_table() -> pd.DataFrame:
    table = pd.DataFrame({name: [None] * len(PRODUCTS) for name in schema.PRODUCTS.names})
    paths, brands, prices = zip(*PRODUCTS.values(), strict=True)
    table = table.assign(product_id=list(PRODUCTS), category=list(paths), brand=brands, price=prices)
    titles = [product_id.replace("-", " ").title() for product_id in PRODUCTS]
    return table.assign(title=titles, currency="EUR").astype({"price": "float64"})


def pseudonym(user_id: str) -> str:
    return pseudonyms.of(KEY, user_id)


def event_table() -> pd.DataFrame:
    rows = [
        (None if user is None else pseudonym(user), product, pd.Timestamp(day, tz="UTC"), f"order-{number}")
        for number, (user, day, products) in enumerate(ORDERS)
        for product in products
    ]
    table = pd.DataFrame(rows, columns=["user_id", "product_id", "time", "order_id"])
    table["event_id"] = [f"shop.csv:{row}" for row in range(len(table))]
    return table.assign(kind="purchase", session_id=None, quantity=1.0, unit_price=None)


def partners(vocabulary: Vocabulary) -> Partners:
    asked, found, *columns = zip(*PARTNERS, strict=True)
    return Partners.of(vocabulary.encode(asked), vocabulary.encode(found), *(np.array(column) for column in columns))


BUNDLES = [  # products with the baskets that hold each, of the smaller part last, its size; baskets, users, expected
    ({"phone-a": 3, "case-a": 2, "cable": 3}, 1, 2, 2, 0.04004),
    ({"phone-a": 3, "phone-b": 2, "case-b": 2, "case-a": 2}, 2, 1, 1, 0.5),
    ({"phone-b": 2, "case-b": 2, "cable": 3}, 1, 1, 1, 0.8),
]


def bundles(vocabulary: Vocabulary) -> Bundles:
    def padded(values: Iterable[int]) -> list[int]:
        return (list(values) + [0] * LARGEST)[:LARGEST]

    rows = [
        (padded(vocabulary.encode(list(of))), smaller, baskets, users, padded(of.values()), expected)
        for of, smaller, baskets, users, expected in BUNDLES
    ]
    return Bundles(*(np.array(column) for column in zip(*rows, strict=True)))


def write_releases(folder: Path, by_task: dict[str, Any]) -> Path:
    """Releases of the shop below `folder`, one for each task, by the ranker given for it."""
    events = event_table()
    known = dataset.build(events, product_table(), AS_OF, FEATURES)
    state = (
        histories.encode(events, known.vocabulary, AS_OF),
        demand.measure(events, known.vocabulary, AS_OF, WEIGHT),
    )
    for task, ranker in by_task.items():
        facts = {
            "kind": ranker.name,
            "data_hash": "d" * 64,
            "tasks": list(ranker.tasks),
            "key_id": pseudonyms.key_id(KEY),
        }
        goes_with = (partners(known.vocabulary), bundles(known.vocabulary)) if "related" in ranker.tasks else None
        release.write(folder / task, ranker.fit(known), known.vocabulary, product_table(), state, facts, goes_with)
    return folder


@pytest.fixture(scope="session")
def key() -> bytes:
    """The pseudonym key of the shop's data."""
    return KEY


@pytest.fixture(scope="session")
def rankers() -> dict[str, type]:
    """The rankers that the shop's releases may hold."""
    return RANKERS


@pytest.fixture(scope="session")
def serving(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with the shop's releases, made by counting."""
    return write_releases(tmp_path_factory.mktemp("serving"), {"recommend": Together(), "related": Together()})


@pytest.fixture(scope="session")
def shop(serving: Path) -> Shelf:
    """The shelf of the shop's releases."""
    return shelf.load(serving, "recommend", pseudonyms.key_id(KEY), RANKERS)


@pytest.fixture(params=sorted(COUNTING))
def counting_shelves(request: pytest.FixtureRequest, root: Path, tmp_path: Path) -> dict[str, Shelf]:
    """Shelves by task of each ranker that counts."""
    ranker = COUNTING[request.param](CountingParams.read(root / "params.yaml"))
    folder = write_releases(tmp_path, dict.fromkeys(ranker.tasks, ranker))
    return {task: shelf.load(folder, task, pseudonyms.key_id(KEY), COUNTING) for task in ranker.tasks}


@pytest.fixture(scope="session")
def served(root: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Environment of a server: the shop's releases by rankers that ship, its key, and stores of its own."""
    home = tmp_path_factory.mktemp("server")
    params = CountingParams.read(root / "params.yaml")
    rankers = {"recommend": COUNTING["itemknn"](params), "related": COUNTING["co_count"](params)}
    places = {
        "TANDEM_SERVING": str(write_releases(home / "serving", rankers)),
        "TANDEM_PSEUDONYM_KEY": KEY.hex(),
        "BENTOML_HOME": str(home / "bentoml"),
    }
    return {**os.environ, **places}


@dataclass(frozen=True)
class Server:
    """A running server: its address, process, and what it has written."""

    url: str
    process: subprocess.Popen[str]
    log: Path

    @property
    def pids(self) -> list[int]:
        """The process and its children."""
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text()
        return [self.process.pid, *map(int, children.split())]

    def post(self, path: str, question: dict[str, Any]) -> dict[str, Any]:
        """The answer to a question."""
        body = json.dumps(question).encode()
        request = urllib.request.Request(self.url + path, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as answer:
            return dict(json.load(answer))

    def get(self, path: str) -> str:
        """The body that a path answers with."""
        with urllib.request.urlopen(self.url + path, timeout=30) as answer:
            return str(answer.read().decode())

    def wait(self, seconds: float = 120) -> None:
        """Return when the server is ready.

        Raises:
            AssertionError: it ended, or was not ready in time.
        """
        ends = time.monotonic() + seconds
        while time.monotonic() < ends and self.process.poll() is None:
            try:
                self.get("/readyz")
            except OSError:
                time.sleep(0.2)
            else:
                return
        raise AssertionError(self.log.read_text())


@contextmanager
def _serve(target: str, cwd: Path, environment: dict[str, str], log: Path) -> Iterator[Server]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(Path(sys.executable).with_name("bentoml")), "serve", target, "--port", str(port)]
    with log.open("w") as output:
        process = subprocess.Popen(
            command, cwd=cwd, env=environment, stdout=output, stderr=subprocess.STDOUT, text=True
        )
    try:
        server = Server(f"http://127.0.0.1:{port}", process, log)
        server.wait()
        yield server
    finally:
        process.terminate()
        process.wait(timeout=30)


@pytest.fixture(scope="session")
def serve() -> Callable[..., AbstractContextManager[Server]]:
    """Start `bentoml serve` of a target, ready on loopback; it is stopped when the block ends."""
    return _serve


@pytest.fixture(scope="session")
def service() -> ModuleType:
    """`services.service`; while it is imported, BentoML warns of its own use of pathspec and pydantic."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        return importlib.import_module("services.service")


@pytest.fixture(scope="session")
def client(service: ModuleType, serving: Path) -> Iterator[TestClient]:
    """The service in this process, started as BentoML starts it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(service.RANKERS, "together", Together)
        patch.setenv("TANDEM_SERVING", str(serving))
        patch.setenv("TANDEM_PSEUDONYM_KEY", KEY.hex())
        with TestClient(service.Tandem.to_asgi()) as started:
            patch.undo()  # it is read at the start; tests after this must not see it
            yield started
