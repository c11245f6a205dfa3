"""Files nobody has seen before, and files that are not what they were: what is in them, and what a source would say."""
