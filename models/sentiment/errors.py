"""What is raised on purpose here."""

from tandem.errors import TandemError


class SentimentError(TandemError, ValueError):
    """Reviews do not suffice to learn from, or do not fit; or a folder does not hold what was saved."""
