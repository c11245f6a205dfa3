"""What a block does to a file's records before they are mapped: files beside and behind, lists, wide tables, pairs."""
