"""Terms of the fit: robust point-to-plane residuals, symmetry residuals near the midline, landmarks."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facecom.fitting.posterior import motion_jacobian
from facecom.geometry.correspondence import Correspondences
from facecom.geometry.mesh import Floats, Ints


def point_to_plane_rows(
    matches: Correspondences, vertices: Floats, jacobian: Floats, *, pick: Ints
) -> tuple[Floats, Floats]:
    """Point-to-plane rows of the matches `pick`: (n, M + 6) for code and small motion of the face, and (n,) residuals.

    `jacobian` is (3 V, M). The motion is a rotation about the origin of the face frame, then a translation; both act on
    the face.
    """
    normal, at = matches.normals[pick], vertices[pick]
    # all rows and then some are read faster than some rows of a matrix this wide
    shape = np.einsum("nd,ndm->nm", matches.normals, jacobian.reshape(len(vertices), 3, -1))[pick]
    rows = np.concatenate([shape, np.cross(at, normal), normal], axis=1)
    return rows, np.einsum("nd,nd->n", normal, matches.points[pick] - at)


def midline_pairs(mirror: Ints, vertices: Floats, pick: Ints, *, strip_mm: float) -> Ints:
    """Places in `pick` of the vertices within `strip_mm` of the midline and of their mirror images, (P, 2).

    mirror : (V,) or longer, vertex on the other side; vertices : (V, 3), face frame, mm; pick : (n,) indices
    """
    place = np.full(len(vertices), -1)
    place[pick] = np.arange(len(pick))
    other = mirror[: len(vertices)]
    # by the distance between the two, which is the same for the mirrored face
    near = np.abs(vertices[:, 0] - vertices[other, 0]) < 2.0 * strip_mm
    one_side = np.flatnonzero((np.arange(len(vertices)) < other) & near)
    pairs = np.stack([place[one_side], place[other[one_side]]], axis=1)
    return np.asarray(pairs[(pairs >= 0).all(axis=1)])


def symmetry_residuals(
    rows: Floats, residuals: Floats, inlier_weight: Floats, *, pairs: Ints
) -> tuple[Floats, Floats, Floats]:
    """Rows, residuals and weights in 0..1 of one side less the other, for pairs (P, 2) of plane rows (n, M + 6).

    What a model leaves unexplained of a face is much the same on both sides, so that the difference of two residuals is
    known better than either. Near the midline it fixes the yaw of a face, also where only half of it was observed.
    """
    one, other = pairs.T
    return (
        rows[one] - rows[other],
        residuals[one] - residuals[other],
        np.sqrt(inlier_weight[one] * inlier_weight[other]),
    )


def landmark_rows(targets: Floats, vertices: Floats, jacobian: Floats, *, pick: Ints) -> tuple[Floats, Floats]:
    """Three rows for each landmark: vertices `pick` should lie at targets (L, 3)."""
    at = vertices[pick]
    shape = jacobian.reshape(len(vertices), 3, -1)[pick]
    rows = np.concatenate([shape, motion_jacobian(at)], axis=2)
    return rows.reshape(3 * len(pick), -1), (targets - at).ravel()


def geman_mcclure(residuals: Floats, *, scale_mm: float) -> Floats:
    """Weight in 0..1 of each residual; a quarter at `scale_mm`, and vanishing for what is not face (Geman 1987)."""
    return 1.0 / (1.0 + (residuals / scale_mm) ** 2) ** 2


def geman_mcclure_cost(residuals: Floats, *, scale_mm: float) -> Floats:
    """Cost of each residual with those weights, mm2, less its cost without a correspondence: never above 0."""
    squares = residuals**2
    return squares / (1.0 + squares / scale_mm**2) - scale_mm**2


def landmark_targets(landmarks: Mapping[str, Floats], known: Mapping[str, int]) -> tuple[Ints, Floats]:
    """Vertex indices and (L, 3) targets of the named landmarks.

    Raises
    ------
    ValueError
        For a name that the template does not have.
    """
    unknown = sorted(set(landmarks) - set(known))
    if unknown:
        raise ValueError(f"unknown landmark {unknown[0]!r}; known are {', '.join(sorted(known))}")
    names = sorted(landmarks)
    pick = np.array([known[n] for n in names], dtype=np.int64)
    return pick, np.array([landmarks[n] for n in names], dtype=float).reshape(-1, 3)
