"""What reviews say: how good a customer found a product, from words and stars."""
