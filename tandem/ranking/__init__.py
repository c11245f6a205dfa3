"""One way to rank products, for counting, networks, evaluation and service alike."""
