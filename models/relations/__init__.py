"""Which relation two products have: the second completes the first, stands in for it, or neither."""
