"""What the fit is told: the face model it asks, its stages and settings, and terms that a caller adds."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol

from facecom.geometry.mesh import Floats, Ints
from facecom.geometry.transform import Similarity

COARSEST_LEVEL, FIT_LEVEL = 0, 1
"""Levels of the template at which pose and size are found, and at which the whole code is fitted."""


class ShapeModel(Protocol):
    """What the fit needs of a face model: vertices and their derivative for a code with prior N(0, I)."""

    @property
    def code_size(self) -> int:
        """Number M of code entries."""

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""

    def decode(self, code: Floats, *, level: int) -> Floats:
        """Vertices of a level, (V, 3), mm, face frame."""

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices, (3 V, M), mm."""


class FitTerm(Protocol):
    """A term of the caller's own, added to the cost in every iteration of every stage.

    Called with the current vertices (V, 3) and their derivative by the code entries that move, (3 V, M), both in the
    face frame, mm, with the pose (scan frame, mm -> face frame) and with the template's level of the stage. It returns
    n linearised residuals: `rows` (n, M + 6), `residuals` (n,) and `weights` (n,), 1 / variance. They add

        sum_i weights_i (residuals_i - rows_i @ delta)**2

    to the cost, where delta (M + 6,) is the step sought: code, then a rotation vector about the origin of the face
    frame and a translation, by which the face moves. A residual is thus target less current value, and a row is the
    derivative of the current value. Residuals of mm with weights of 1 / mm2 add to the plane terms as they are; robust
    weights, where wanted, are the term's own. `motion_jacobian` gives the last six columns for vertices.

    The rough fits that choose a starting pose do not ask extra terms. A completion on disk keeps the outcome of its
    fit, not the terms.

    Examples
    --------
    Hold the tip of the nose, vertex 0 of this example, at 5 mm before the face frame's origin, to 0.1 mm:

    >>> import numpy as np
    >>> from facecom.fitting.posterior import motion_jacobian
    >>> def nose_depth(vertices, jacobian, *, pose, level):
    ...     tip, depth = 0, 2
    ...     shape = jacobian.reshape(len(vertices), 3, -1)[tip, depth]
    ...     motion = motion_jacobian(vertices[[tip]])[0, depth]
    ...     rows = np.concatenate([shape, motion])[None]
    ...     residuals = np.array([5.0 - vertices[tip, depth]])
    ...     return rows, residuals, np.array([1 / 0.1**2])
    >>> settings = FitSettings(extra_terms=(nose_depth,))
    >>> rows, residuals, _ = nose_depth(np.zeros((1, 3)), np.array([[0.0], [0.0], [2.0]]), pose=Similarity(), level=0)
    >>> rows.tolist(), residuals.tolist()
    ([[2.0, 0.0, -0.0, 0.0, 0.0, 0.0, 1.0]], [5.0])
    """

    def __call__(
        self, vertices: Floats, jacobian: Floats, *, pose: Similarity, level: int
    ) -> tuple[Floats, Floats, Floats]:
        """Rows (n, M + 6), residuals (n,) and weights (n,)."""


@dataclass(frozen=True)
class FitStage:
    """A run of iterations at one resolution."""

    level: int
    """Level of the template whose vertices look for correspondences."""
    iterations: int
    modes: int | None
    """Leading code entries that move; all of them for None."""
    reach_mm: float
    """Correspondences farther away are rejected."""
    robust_mm: float
    """Residual at which a correspondence counts a quarter."""
    noise_mm: float
    """Standard deviation of what neither model nor scan explain, for each vertex."""


def default_fit_stages() -> tuple[FitStage, ...]:
    """Coarse to fine: a few shape modes find size and pose, then all of them the face."""
    return (
        FitStage(level=COARSEST_LEVEL, iterations=5, modes=30, reach_mm=25.0, robust_mm=8.0, noise_mm=2.25),
        FitStage(level=FIT_LEVEL, iterations=4, modes=120, reach_mm=12.0, robust_mm=4.0, noise_mm=0.8),
        FitStage(level=FIT_LEVEL, iterations=4, modes=None, reach_mm=7.0, robust_mm=2.0, noise_mm=0.6),
        FitStage(level=FIT_LEVEL, iterations=4, modes=None, reach_mm=3.0, robust_mm=0.7, noise_mm=0.5),
    )


@dataclass(frozen=True)
class FitSettings:
    """How the fit is made; lengths in mm, angles in radians."""

    stages: tuple[FitStage, ...] = field(default_factory=default_fit_stages)
    normal_limit_rad: float = 0.8
    """A correspondence whose normal differs by a larger angle is rejected."""
    reciprocal_mm: float = 0.5
    """And so is one to a point of the scan that another vertex is nearer to by more than this: a vertex over a hole is
    not laid on what lies beyond its border. Infinite to reject none."""
    landmark_sigma_mm: float = 2.0
    """Standard deviation of a landmark that comes without one."""
    symmetry_sigma_mm: float = 0.25
    """Standard deviation of the residual of a vertex less its mirror image's, near the midline."""
    midline_mm: float = 8.0
    """How far from the midline the two sides are compared."""
    symmetry_robust_mm: float = 0.4
    """Such a difference at which it counts a quarter: the midline may be the torn edge of a scan from the side."""
    min_correspondences: int = 60
    """Vertices of the coarsest level that must find a correspondence."""
    extra_terms: tuple[FitTerm, ...] = field(default=(), metadata={"stored": False})
    """Terms of the caller's own; see `FitTerm`. They are code, and so are not written to files."""
