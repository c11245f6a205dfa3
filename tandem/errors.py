"""Errors raised on purpose: each is a `TandemError` and the built-in that fits."""


class TandemError(Exception):
    """Base of every error that Tandem raises on purpose; its text is meant for a person."""


class ParamsError(TandemError, ValueError):
    """params.yaml holds something that does not fit."""


class SettingsError(TandemError, ValueError):
    """The environment holds something that does not fit, or lacks what is needed."""


class SourceError(TandemError, ValueError):
    """Raw data or a file of `sources/` cannot be read as described."""


class TableError(TandemError, ValueError):
    """A table does not have the columns or types of `tandem.data.schema`."""


class SnapshotRefused(TandemError, ValueError):
    """A blocking expectation failed: no snapshot was made."""


class ReleaseError(TandemError, ValueError):
    """A release folder is incomplete, altered, or does not fit what asks for it."""


class EvaluationError(TandemError, ValueError):
    """There is nothing to compare on, or what is to be compared does not fit together."""
