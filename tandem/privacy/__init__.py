"""People's privacy: pseudonyms and their keys, what is masked and let through, what is sealed, what is traced."""
