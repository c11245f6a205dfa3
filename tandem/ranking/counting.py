"""Every ranker that counts, by name."""

from tandem.ranking.base import CountingRanker
from tandem.ranking.ease import Ease, EaseTrend
from tandem.ranking.neighbours import (
    CoCount,
    Cosine,
    ItemKNN,
    Lift,
    Llr,
    Markov,
    Npmi,
    WeightedCosine,
    WeightedCosineTrend,
)
from tandem.ranking.popularity import Personal, Popular, RecentPopular

COUNTING: dict[str, type[CountingRanker]] = {
    ranker.name: ranker
    for ranker in (
        Popular,
        RecentPopular,
        Personal,
        ItemKNN,
        Markov,
        Ease,
        EaseTrend,
        CoCount,
        Cosine,
        WeightedCosine,
        WeightedCosineTrend,
        Lift,
        Npmi,
        Llr,
    )
}
