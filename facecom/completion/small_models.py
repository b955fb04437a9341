"""What to say when a model made of a few faces does not explain a scan: that is the model's limit, not the scan's."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from facecom.errors import AlignmentError, FitError
from facecom.model.protocol import FaceModel

FEW_FACES = 10
"""A model of fewer faces spans few others."""
BLAMES_THE_SCAN = ("the scan does not look like a face", "no pose makes the scan look like a face", "only ")
"""How the sentences begin that a model may be to blame for."""


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
        count, said = few_faces(model), str(error)
        if count is None or not said.startswith(BLAMES_THE_SCAN):
            raise
        figures = (said.partition(": ")[2] or said).partition(";")[0]
        raise type(error)(
            f"the model does not explain this face: it was made of {count} faces, too few for others ({figures}); "
            "complete with the shipped model, or make one of more faces or with a larger base share"
        ) from error
