"""Faces of one topology resampled onto the template, for training and populations.

They correspond as they are, so one registration, of their mean, serves all of them and puts no noise of its own between
them.
"""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.geometry.transform import Similarity, fit_similarity
from facecom.model.adapters.source import LinearSource
from facecom.model.adapters.transferred import transfer
from facecom.model.template import SHAPE_LEVEL, Template

PROCRUSTES_ROUNDS = 3
"""Rounds of alignment, each to the mean of the one before."""


def procrustes_aligned(faces: Floats) -> Floats:
    """Faces (N, V, 3) without the rigid motions between them (generalised Procrustes analysis, no scale).

    Raises
    ------
    ValueError
        When they are not faces of one topology.

    Examples
    --------
    >>> face = np.random.default_rng(0).normal(size=(9, 3))
    >>> bool(np.ptp(procrustes_aligned(np.stack([face, face + 5.0])), axis=0).max() < 1e-9)
    True
    """
    faces = np.asarray(faces, float)
    if faces.ndim != 3 or faces.shape[2] != 3 or not len(faces):
        raise ValueError(f"expected faces (N, V, 3) of one topology, got shape {faces.shape}")
    aligned, reference = faces, faces[0]
    for _ in range(PROCRUSTES_ROUNDS):
        aligned = np.stack([fit_similarity(face, reference).apply(face) for face in faces])
        reference = aligned.mean(axis=0)
    return aligned


def faces_on_template(
    faces: Floats, triangles: Ints, template: Template, *, registered: Floats, pose: Similarity
) -> np.ndarray:
    """Faces (N, V2, 3) float32 on `SHAPE_LEVEL` of the template, mm, face frame.

    Parameters
    ----------
    faces : (N, V, 3) without rigid motion between them, see `procrustes_aligned`; triangles : (F, 3)
    template : Template
    registered : (V3, 3) vertices of the template on the mean of the faces, in their frame: what completing or
        registering that mean gives as `face.vertices`
    pose : the faces' frame -> face frame, mm: that completion's `pose`

    Raises
    ------
    ValueError
        When `registered` is not on the template, or the triangles are not of these faces.
    """
    mean = np.asarray(faces, float).mean(axis=0)
    model = transfer(
        LinearSource(mean, triangles, np.zeros((0, *mean.shape)), "own faces"), template, registered, pose=pose
    )
    count = template.counts[SHAPE_LEVEL]
    out = np.empty((len(faces), count, 3), np.float32)
    for k, face in enumerate(faces):
        out[k] = model.template.vertices[:count] + pose.scale * pose.rotate(model.interpolation @ (face - mean))
    return out
