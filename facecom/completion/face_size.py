"""How large a fitted face is, beside a mean adult's: what a wrong unit shows in."""

from __future__ import annotations

from facecom.completion.alignment import face_mask
from facecom.geometry.mesh import Floats
from facecom.geometry.transform import fit_similarity
from facecom.model.template import COARSEST_LEVEL, Template

FACE_RADIUS_MM = 80.0
"""Of the face whose size is taken: without scalp, ears and neck."""
USUAL_SIZES = (0.79, 1.165)
"""Sizes that nobody need ask about. Adults differ by 5.6 % (standard deviation), children of six have 0.85 to 0.9; of
faces drawn from the model two in a thousand lie beyond. A fit takes a face of 125 % for one of 117 % and more."""


def face_size(vertices: Floats, template: Template) -> float:
    """Size of a face in units of the mean adult's, by all distances within the face proper.

    Parameters
    ----------
    vertices : (V, 3), mm, face frame, of any level

    Examples
    --------
    >>> template = Template.load()
    >>> round(face_size(1.1 * template.vertices, template), 6)
    1.1
    """
    mask = face_mask(template, level=COARSEST_LEVEL, radius_mm=FACE_RADIUS_MM)
    count = len(mask)
    return fit_similarity(template.vertices[:count][mask], vertices[:count][mask], with_scale=True).scale


def is_usual_size(size: float) -> bool:
    """Whether nobody need ask about a face of this size."""
    return USUAL_SIZES[0] <= size <= USUAL_SIZES[1]


def size_remark(size: float) -> str | None:
    """What to say of a face of this size; None where it is usual.

    Examples
    --------
    >>> size_remark(0.61)
    "the face is 61 % of an adult's size; if the unit is wrong give --unit mm, cm, m, inch or free"
    >>> size_remark(0.9) is None
    True
    """
    if is_usual_size(size):
        return None
    return (
        f"the face is {100 * size:.0f} % of an adult's size; if the unit is wrong give --unit mm, cm, m, inch or free"
    )
