"""Registered faces in a topology of their own, brought onto our template: what training and populations work on.

Faces of one topology correspond as they are, so one registration, of their mean, serves all of them and puts no noise
of its own between them.
"""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.geometry.transform import Similarity, fit_similarity
from facecom.model.adapters.source import LinearSource
from facecom.model.adapters.transferred import transfer
from facecom.model.template import SHAPE_LEVEL, Template

ROUNDS = 3


def superimposed(faces: Floats) -> Floats:
    """Faces (N, V, 3) without the rigid motions between them (generalised Procrustes analysis, no scale).

    Raises
    ------
    ValueError
        When they are not faces of one topology.

    Examples
    --------
    >>> face = np.random.default_rng(0).normal(size=(9, 3))
    >>> bool(np.ptp(superimposed(np.stack([face, face + 5.0])), axis=0).max() < 1e-9)
    True
    """
    faces = np.asarray(faces, float)
    if faces.ndim != 3 or faces.shape[2] != 3 or not len(faces):
        raise ValueError(f"expected faces (N, V, 3) of one topology, got shape {faces.shape}")
    moved, onto = faces, faces[0]
    for _ in range(ROUNDS):
        moved = np.stack([fit_similarity(face, onto).apply(face) for face in faces])
        onto = moved.mean(axis=0)
    return moved


def faces_on_template(
    faces: Floats, triangles: Ints, template: Template, *, placed: Floats, pose: Similarity
) -> np.ndarray:
    """Faces (N, V2, 3) float32 on level 2 of the template, mm, face frame.

    Parameters
    ----------
    faces : (N, V, 3) without rigid motion between them, see `superimposed`; triangles : (F, 3)
    template : Template
    placed : (V3, 3) vertices of the template on the mean of the faces, in their frame: what completing or registering
        that mean gives as `face.vertices`
    pose : the faces' frame -> face frame, mm: that completion's `pose`

    Raises
    ------
    ValueError
        When `placed` is not on the template, or the triangles are not of these faces.
    """
    mean = np.asarray(faces, float).mean(axis=0)
    model = transfer(
        LinearSource(mean, triangles, np.zeros((0, *mean.shape)), "own faces"), template, placed, pose=pose
    )
    count = template.counts[SHAPE_LEVEL]
    out = np.empty((len(faces), count, 3), np.float32)
    for k, face in enumerate(faces):
        out[k] = model.template.vertices[:count] + pose.scale * pose.rotate(model.rows @ (face - mean))
    return out
