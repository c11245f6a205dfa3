"""Readers of raw files: each gives a file's rows as batches of text, in memory that does not grow with the file."""
