"""Similarity transforms: column vectors, `s R p + t`."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Floats, read_only

ORTHONORMAL_TOLERANCE = 1e-8
"""Largest entry of `rotation @ rotation.T - identity` that still is a rotation."""
SMALL_ANGLE_RAD = 1e-12
"""Below this a rotation is its own linearisation to the last bit."""


@dataclass(frozen=True, eq=False)
class Similarity:
    """`p -> scale * rotation @ p + translation`.

    Parameters
    ----------
    rotation : (3, 3) float, a proper rotation (det +1)
    translation : (3,) float, in the unit of the target frame
    scale : float, 1 unless the target frame has another unit or a caller asked for it

    Raises
    ------
    ValueError
        When `rotation` is not orthonormal with det +1, `translation` not finite or `scale` not positive.

    Examples
    --------
    >>> Similarity(translation=[1, 0, 0]).apply([[0, 0, 0]])
    array([[1., 0., 0.]])
    """

    rotation: Floats = field(default_factory=lambda: np.eye(3))
    translation: Floats = field(default_factory=lambda: np.zeros(3))
    scale: float = 1.0

    def __post_init__(self) -> None:
        rotation = read_only(self.rotation, np.float64, 3)
        translation = read_only(self.translation, np.float64)
        if rotation.shape != (3, 3) or translation.shape != (3,):
            raise ValueError(f"expected shapes (3, 3) and (3,), got {rotation.shape} and {translation.shape}")
        if not np.isfinite(translation).all():
            raise ValueError(f"translation must be finite, got {translation}")
        if not np.allclose(rotation @ rotation.T, np.eye(3), atol=ORTHONORMAL_TOLERANCE) or np.linalg.det(rotation) < 0:
            raise ValueError("rotation must be orthonormal with determinant +1")
        if not self.scale > 0:
            raise ValueError(f"scale must be positive, got {self.scale}")
        object.__setattr__(self, "rotation", rotation)
        object.__setattr__(self, "translation", translation)

    def apply(self, points: ArrayLike) -> Floats:
        """Move points, (..., 3)."""
        return self.scale * (np.asarray(points, float) @ self.rotation.T) + self.translation

    def rotate(self, directions: ArrayLike) -> Floats:
        """Rotate directions, (..., 3); neither scale nor translation acts on them."""
        return np.asarray(directions, float) @ self.rotation.T

    def inverse(self) -> Similarity:
        """The transform that undoes this one."""
        rotation = self.rotation.T
        return Similarity(rotation, -(rotation @ self.translation) / self.scale, 1.0 / self.scale)

    def __matmul__(self, first: Similarity) -> Similarity:
        """Compose: `(a @ b).apply(p) == a.apply(b.apply(p))`."""
        rotation = orthonormal(self.rotation @ first.rotation)
        return Similarity(rotation, self.apply(first.translation), self.scale * first.scale)

    def matrix(self) -> Floats:
        """Homogeneous 4x4 matrix."""
        out = np.eye(4)
        out[:3, :3] = self.scale * self.rotation
        out[:3, 3] = self.translation
        return out


def orthonormal(matrix: Floats) -> Floats:
    """Nearest proper rotation to a 3x3 matrix (Kabsch)."""
    u, _, vt = np.linalg.svd(matrix)
    u[:, -1] *= np.linalg.det(u @ vt)
    return u @ vt


def rotation_from_vector(vector: ArrayLike) -> Floats:
    """Rotation by `|vector|` radians about `vector` (Rodrigues)."""
    w = np.asarray(vector, float)
    angle = float(np.linalg.norm(w))
    skew = np.array([[0, -w[2], w[1]], [w[2], 0, -w[0]], [-w[1], w[0], 0]])
    if angle < SMALL_ANGLE_RAD:
        return orthonormal(np.eye(3) + skew)
    skew = skew / angle
    return orthonormal(np.eye(3) + np.sin(angle) * skew + (1 - np.cos(angle)) * (skew @ skew))


def fit_similarity(
    source: ArrayLike, target: ArrayLike, *, weights: ArrayLike | None = None, with_scale: bool = False
) -> Similarity:
    """Weighted least-squares transform of `source` onto `target`, both (N, 3) (Umeyama 1991, eq. 34-43).

    Raises
    ------
    ValueError
        With fewer than three points, different shapes, or weights that are negative or all zero.
    """
    a, b = np.asarray(source, float), np.asarray(target, float)
    if a.shape != b.shape or a.ndim != 2 or len(a) < 3:
        raise ValueError(f"expected two equal (N >= 3, 3) point sets, got {a.shape} and {b.shape}")
    w = np.ones(len(a)) if weights is None else np.asarray(weights, float)
    if w.shape != (len(a),) or not (w >= 0).all() or not w.any():
        raise ValueError(f"weights must be {len(a)} numbers, none negative and not all zero, got shape {w.shape}")
    w = w / w.sum()
    mean_a, mean_b = w @ a, w @ b
    a, b = a - mean_a, b - mean_b
    rotation = orthonormal((b * w[:, None]).T @ a)
    scale = 1.0
    if with_scale:
        scale = float(np.sum(w[:, None] * b * (a @ rotation.T)) / np.sum(w[:, None] * a * a))
    return Similarity(rotation, mean_b - scale * rotation @ mean_a, scale)
