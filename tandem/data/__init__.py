"""From a shop's raw exports to tables that everything else may trust."""
