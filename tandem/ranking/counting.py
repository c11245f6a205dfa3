"""Every ranker that counts, by name."""

from tandem.ranking.base import CountingRanker
from tandem.ranking.ease import Ease, EaseTrend
from tandem.ranking.neighbours import CoCount, Cosine, ItemKNN, ItemKNNTrend, Lift, Llr, Markov, Npmi
from tandem.ranking.popularity import Personal, Popular, RecentPopular

COUNTING: dict[str, type[CountingRanker]] = {
    ranker.name: ranker
    for ranker in (
        Popular,
        RecentPopular,
        Personal,
        ItemKNN,
        ItemKNNTrend,
        Markov,
        Ease,
        EaseTrend,
        CoCount,
        Cosine,
        Lift,
        Npmi,
        Llr,
    )
}
