"""Commands of `tandem` that come in groups, one module each."""
