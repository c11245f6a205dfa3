"""What rankers and networks learn from: vocabularies, histories, baskets, demand, product features."""
