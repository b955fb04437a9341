"""What the rest of a scan predicts of discs of a face that are left out of it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import linalg

from facecom.fitting.defect_settings import DefectSearchSettings
from facecom.fitting.normal_equations import MOTION_SIZE, cholesky_lower, weighted_square
from facecom.fitting.scan_observation import Observation
from facecom.geometry.mesh import Bools, Floats, Ints


class LeftOutDiscs:
    """Predictions of discs, each from all of the scan but the disc; by the leading entries of the code and the motion.

    Parameters
    ----------
    seen : Observation
    code : of the face that observed
    evidence : (V,) inverse variance of each residual
    compared : (V,) bool, vertices whose surface is held against what is predicted
    """

    def __init__(
        self, seen: Observation, code: Floats, *, evidence: Floats, compared: Bools, settings: DefectSearchSettings
    ) -> None:
        modes = min(settings.disc_modes, len(code))
        width = seen.rows.shape[1]
        columns = np.r_[np.arange(modes), np.arange(width - MOTION_SIZE, width)]
        self._rows, self._residual = seen.rows[:, columns], seen.residual
        self._evidence, self._compared, self._noise_mm = evidence, compared, settings.noise_mm
        self._whole = weighted_square(self._rows, evidence)
        self._pull = self._rows.T @ (evidence * seen.residual)
        prior = np.r_[np.full(modes, settings.prior_precision), np.zeros(MOTION_SIZE)]
        self._whole[np.diag_indices(len(columns))] += prior
        self._pull -= prior * np.r_[code[:modes], np.zeros(MOTION_SIZE)]

    def ratio(self, disc: Bools) -> float:
        """Squared residuals of a disc to what the rest predicts of it, by their covariance, for each residual."""
        told, left, half = self._predicted(disc)
        if not len(told):
            return 0.0
        spread = half.T @ half + self._noise_mm**2 * np.eye(len(told))
        return float(left @ linalg.cho_solve((cholesky_lower(spread), True), left)) / len(told)

    def deviations(self, disc: Bools) -> tuple[Ints, Floats]:
        """Vertices (n,) of a disc that are compared, and how far each is from what the rest predicts, (n,).

        Residuals in standard deviations; positive outside of the face.
        """
        told, left, half = self._predicted(disc)
        return told, left / np.sqrt(np.sum(half**2, axis=0) + self._noise_mm**2)

    def _predicted(self, disc: Bools) -> tuple[Ints, Floats, Floats]:
        """Vertices (n,) that are compared, residuals (n,), and a root (m, n) of their covariance; none of too few."""
        inside, told = np.flatnonzero(disc), np.flatnonzero(disc & self._compared)
        if len(told) < MOTION_SIZE:
            return told[:0], np.zeros(0), np.zeros((0, 0))
        own = self._rows[inside]
        rest = self._whole - (own * self._evidence[inside, None]).T @ own
        root = cholesky_lower(rest)
        pull = self._pull - own.T @ (self._evidence[inside] * self._residual[inside])
        step = linalg.cho_solve((root, True), pull)
        half = linalg.solve_triangular(root, self._rows[told].T, lower=True)
        return told, self._residual[told] - self._rows[told] @ step, half


def discs_about(vertices: Floats, scope: Bools, *, radius: float, spacing: float) -> Iterator[Bools]:
    """Balls about points of the face that lie at least the spacing apart, as masks (V,) of its vertices.

    Examples
    --------
    >>> line = np.array([[x, 0.0, 0.0] for x in range(6)])
    >>> [disc.sum() for disc in discs_about(line, np.ones(6, bool), radius=1.5, spacing=3.0)]
    [np.int64(2), np.int64(3)]
    """
    left = np.flatnonzero(scope)
    while len(left):
        distance = np.linalg.norm(vertices - vertices[left[0]], axis=1)
        yield distance < radius
        left = left[distance[left] > spacing]
