"""What to say when a model made of a few faces does not explain a scan: that is the model's limit, not the scan's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from facecom.errors import AlignmentError, FitError
from facecom.model.protocol import FaceModel

FEW_FACES = 10
"""A model of fewer faces spans few others."""
FEW_ENTRIES = 20
"""A code of fewer entries gives one part of a face no shape of its own."""
BLAMES_THE_SCAN = ("the scan does not look like a face", "no pose makes the scan look like a face", "only ")
"""How the sentences begin that a model may be to blame for."""


def limit_of(model: FaceModel) -> str | None:
    """What makes a model too small for faces that it was not made of; None where it is not."""
    faces = few_faces(model)
    if faces is not None:
        return f"it was made of {faces} faces, too few for others"
    if model.identity_size < FEW_ENTRIES:
        return f"its code has {model.identity_size} entries, too few for faces that it was not made of"
    return None


def few_faces(model: FaceModel) -> int | None:
    """Of how many faces a model was made, where they are few; None where they are not, or nothing is known of it.

    Examples
    --------
    >>> from facecom.model.linear.generator import LinearGenerator
    >>> few_faces(LinearGenerator.load()) is None
    True
    """
    count = model.description.get("faces")
    return count if isinstance(count, int) and count < FEW_FACES else None


@contextmanager
def model_blamed(model: FaceModel) -> Iterator[None]:
    """Context in which a scan is held against a model.

    Raises
    ------
    AlignmentError, FitError
        As they come; where the model is one of a few faces, with a sentence that says so in place of one on the scan.
    """
    try:
        yield
    except (AlignmentError, FitError) as error:
        limit, said = limit_of(model), str(error)
        if limit is None or not said.startswith(BLAMES_THE_SCAN):
            raise
        figures = (said.partition(": ")[2] or said).partition(";")[0]
        raise type(error)(
            f"the model does not explain this face: {limit} ({figures}); "
            "complete with the shipped model, or make one of more faces or with a larger base share"
        ) from error
