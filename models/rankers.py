"""Every ranker that a release may hold, by kind; importing it loads no network library."""

from collections.abc import Mapping
from typing import Any, Protocol

from models.association.ranker import Association
from models.blend import BlendWithNetwork
from models.interest.ranker import Lstm, Transformer
from tandem.ranking.counting import COUNTING
from tandem.ranking.ranker import Ranker


class Network(Ranker, Protocol):
    """A ranker that is trained in epochs."""

    tasks: tuple[str, ...]
    params_class: Any  # its section of params.yaml
    choices: dict[str, float]  # made in `fit`, kept in `refit`
    curve: list[dict[str, float]]  # one row for each epoch of the last training

    def __init__(self, params: Any) -> None: ...


NETWORKS: Mapping[str, type[Network]] = {
    Transformer.name: Transformer,
    Lstm.name: Lstm,
    Association.name: Association,
}

RANKERS: Mapping[str, type[Ranker]] = {**COUNTING, **NETWORKS, BlendWithNetwork.name: BlendWithNetwork}
