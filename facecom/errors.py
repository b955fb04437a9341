"""The errors a caller may want to act on; anything else is a ValueError or a bug."""

from importlib import import_module
from typing import Any


class FacecomError(Exception):
    """Base of the package's own errors."""


class ScanError(FacecomError):
    """The scan cannot be read or holds no usable surface."""


class AlignmentError(FacecomError):
    """No pose makes the scan look like a face; the message gives the figures."""


class FitError(FacecomError):
    """Too little of a face is observed, or the fit did not reach a face."""


class CheckpointError(FacecomError):
    """A model file is missing, damaged, of another version or of another kind."""


class MissingDependency(FacecomError):  # noqa: N818 - the name reads as the sentence a user sees
    """An optional package is needed for what was asked; the message names the extra."""


def need(module: str, *, extra: str | None = None) -> Any:
    """Import a module that is not loaded with the package.

    Parameters
    ----------
    module : str, its dotted name
    extra : str or None, the extra of facecom that brings it; None for what every installation has

    Raises
    ------
    MissingDependency
        When it is not installed; the message says what to type.

    Examples
    --------
    >>> need("json").dumps([1])
    '[1]'
    """
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        what = f"facecom[{extra}]" if extra else str(error.name)
        raise MissingDependency(
            f"{error.name} is needed for this and not installed; run: pip install '{what}'"
        ) from error
