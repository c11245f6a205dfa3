"""Every ranker that a release may hold, by kind; importing it loads no network library."""

from collections.abc import Mapping

from models.association.ranker import Association
from models.interest.ranker import Lstm, Transformer
from tandem.ranking.counting import COUNTING
from tandem.ranking.ranker import Ranker

NETWORKS = {ranker.name: ranker for ranker in (Transformer, Lstm, Association)}

RANKERS: Mapping[str, type[Ranker]] = {**COUNTING, **NETWORKS}
