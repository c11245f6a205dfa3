"""What is raised on purpose here."""

from tandem.errors import TandemError


class EncoderError(TandemError, ValueError):
    """A folder of weights is absent, incomplete, or does not fit what reads it."""
