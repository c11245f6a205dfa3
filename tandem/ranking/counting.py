"""Every ranker that counts, by name."""

from tandem.ranking.base import CountingRanker
from tandem.ranking.ease import BasketEase, Ease, EaseTrend, RecentEase
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
        RecentEase,
        CoCount,
        Cosine,
        WeightedCosine,
        WeightedCosineTrend,
        BasketEase,
        Lift,
        Npmi,
        Llr,
    )
}
