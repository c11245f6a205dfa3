"""What a product is, read from its words: by BERT weights of any folder or by the shop's n-grams."""
