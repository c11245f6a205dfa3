"""What a product is, seen in its picture: one vector a picture, near to those of fitting titles."""
