"""What goes with each product: product vectors in two roles, learned from baskets."""
