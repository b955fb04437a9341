"""What the scan says about the face: robust point-to-plane rows, landmarks, and which matches to believe."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from facecom.fitting.posterior import motion_rows
from facecom.geometry.matching import Matches
from facecom.geometry.mesh import Floats, Ints


def plane_rows(matches: Matches, vertices: Floats, jacobian: Floats, *, pick: Ints) -> tuple[Floats, Floats]:
    """Point-to-plane rows of the matches `pick`: (n, M + 6) for code and small motion of the face, and (n,) gaps.

    `jacobian` is (3 V, M).

    The motion is a rotation about the origin of the face frame, then a translation; both act on the face.
    """
    normal, at = matches.normals[pick], vertices[pick]
    # all rows and then some are read faster than some rows of a matrix this wide
    shape = np.einsum("nd,ndm->nm", matches.normals, jacobian.reshape(len(vertices), 3, -1))[pick]
    rows = np.concatenate([shape, np.cross(at, normal), normal], axis=1)
    return rows, np.einsum("nd,nd->n", normal, matches.points[pick] - at)


def landmark_rows(targets: Floats, vertices: Floats, jacobian: Floats, *, pick: Ints) -> tuple[Floats, Floats]:
    """Three rows for each landmark: vertices `pick` should lie at targets (L, 3)."""
    at = vertices[pick]
    shape = jacobian.reshape(len(vertices), 3, -1)[pick]
    rows = np.concatenate([shape, motion_rows(at)], axis=2)
    return rows.reshape(3 * len(pick), -1), (targets - at).ravel()


def geman_mcclure(gaps: Floats, *, scale_mm: float) -> Floats:
    """Weight in 0..1 of each gap; a quarter at `scale_mm`, and vanishing for what is not face (Geman 1987)."""
    return 1.0 / (1.0 + (gaps / scale_mm) ** 2) ** 2


def by_name(landmarks: Mapping[str, Floats], known: Mapping[str, int]) -> tuple[Ints, Floats]:
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
