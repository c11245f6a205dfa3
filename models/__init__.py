"""The Keras networks, one folder each; `rankers` names every ranker that a release may hold."""
