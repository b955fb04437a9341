"""Principal component analysis of registered faces, with weights of the vertices."""

from __future__ import annotations

import numpy as np
from scipy import linalg

from facecom.geometry.mesh import Floats

LEAST_MODE_SHARE = 1e-6
"""Share of the largest variance below which a mode is none."""


def principal_modes(faces: Floats, mean: Floats, *, count: int, weights: Floats | None = None) -> Floats:
    """Leading modes (count, V, 3) of faces (N, V, 3) about a mean, mm for one standard deviation.

    With weights (V,) they lose least where the weights are large, and are orthogonal under them.

    Raises
    ------
    ValueError
        When there are too few faces for so many modes.
    """
    if len(faces) <= count:
        raise ValueError(f"{count} code entries need more than {len(faces)} faces; give more faces or a smaller code")
    offsets = (faces - mean).reshape(len(faces), -1)
    weighted = offsets if weights is None else offsets * np.repeat(np.sqrt(weights), 3).astype(offsets.dtype)
    gram = weighted @ weighted.T
    last = len(gram) - 1
    values, vectors = linalg.eigh(gram, subset_by_index=(last - count + 1, last))
    modes = (vectors[:, ::-1].T @ offsets) / np.sqrt(len(faces))
    if values[0] <= LEAST_MODE_SHARE * values[-1]:
        raise ValueError(f"the faces span fewer than {count} directions; give more different faces or a smaller code")
    return modes.reshape(count, *mean.shape)
