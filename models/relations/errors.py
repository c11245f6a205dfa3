"""What is raised on purpose here."""

from tandem.errors import TandemError


class RelationsError(TandemError, ValueError):
    """Pairs do not suffice to learn from, or do not fit together; or a folder does not hold what was saved."""
