"""The errors a caller may want to act on; anything else is a ValueError or a bug."""


class FacecomError(Exception):
    """Base of the package's own errors."""


class ScanError(FacecomError):
    """The scan cannot be read or holds no usable surface."""


class AlignmentError(FacecomError):
    """No pose makes the scan look like a face; the message carries the figures."""


class FitError(FacecomError):
    """Too little of a face is seen, or the fit did not reach an honest result."""


class CheckpointError(FacecomError):
    """A model file is missing, damaged, of another version or of another kind."""


class MissingDependency(FacecomError):  # noqa: N818 - the name reads as the sentence a user sees
    """An optional package is needed for what was asked; the message names the extra."""
