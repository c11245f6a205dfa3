"""Who ranks best, measured on the future, with intervals."""
