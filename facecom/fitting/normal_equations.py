"""Solution of the fit's normal equations, safe for any scan.

A scan that a motion leaves unchanged (a ball, a plane, a cylinder) leaves that motion undetermined. Whether a Cholesky
factorisation of such a matrix then fails depends on rounding, and so on the processor; here the outcome does not.
"""

from __future__ import annotations

import numpy as np
from scipy import linalg

from facecom.geometry.mesh import Floats

MOTION_SIZE = 6
"""Entries of a rigid motion, last in every deviation: rotation vector, translation."""
MIN_PIVOT = 1e-4
"""Share of a motion's own information that must be left when everything else is free to move, for it to count as
determined. Faces leave 1e-3 and more, the facets of a fine ball 5e-5, summing in single precision 1e-7."""
MOTION_DAMPING = 1e-3
"""Share of its own information that an undetermined motion is held with (Levenberg 1944)."""
FIRST_JITTER, JITTER_GROWTH, MAX_JITTER = 1e-8, 10.0, 1.0
"""Share of the diagonal that is added to a matrix which rounding has made indefinite: the first that is tried, the
factor from try to try, and the last."""


def solve_step(precision: Floats, rhs: Floats) -> Floats:
    """The Gauss-Newton step (M + 6,) of `precision @ step = rhs`; a motion that is not determined is damped.

    Parameters
    ----------
    precision : (M + 6, M + 6) over code, rotation vector and translation, symmetric
    rhs : (M + 6,)

    Examples
    --------
    >>> solve_step(np.diag([2.0, 1, 1, 1, 1, 1, 4]), np.ones(7)).round(6).tolist()
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 0.25]
    """
    factor = _determined_factor(precision)
    if factor is not None:
        return linalg.cho_solve((factor, False), rhs)
    damped = precision.copy()
    motion = np.arange(len(precision) - MOTION_SIZE, len(precision))
    damped[motion, motion] += MOTION_DAMPING * precision[motion, motion]
    return linalg.cho_solve((cholesky_lower(damped), True), rhs)


def motion_is_determined(precision: Floats) -> bool:
    """Whether the scan tells the whole rigid motion of the face, whatever its shape.

    Examples
    --------
    >>> motion_is_determined(np.diag([2.0, 1, 1, 1, 1, 1, 4])), motion_is_determined(np.diag([2.0, 1, 1, 1, 1, 1, 0]))
    (True, False)
    """
    return _determined_factor(precision) is not None


def _determined_factor(precision: Floats) -> Floats | None:
    """Upper Cholesky factor (its lower triangle is not used); None when a motion is not determined."""
    try:
        factor, _ = linalg.cho_factor(precision)
    except linalg.LinAlgError:
        return None
    motion = slice(len(precision) - MOTION_SIZE, None)
    remaining = np.diag(factor)[motion] ** 2
    return factor if np.all(remaining > MIN_PIVOT * np.diag(precision)[motion]) else None


def cholesky_lower(matrix: Floats) -> Floats:
    """Lower Cholesky factor of a symmetric matrix; one that rounding made indefinite gets the least jitter that helps.

    Raises
    ------
    ValueError
        When the matrix holds numbers that are not finite.
    """
    diagonal = np.abs(np.diag(matrix)).copy()
    diagonal[diagonal == 0.0] = 1.0
    jitter = 0.0
    while True:
        try:
            return np.asarray(linalg.cholesky(matrix + np.diag(jitter * diagonal), lower=True))
        except linalg.LinAlgError:
            if jitter >= MAX_JITTER:
                raise ValueError("the normal equations are not symmetric positive semi-definite") from None
            jitter = max(JITTER_GROWTH * jitter, FIRST_JITTER)


def weighted_square(rows: Floats, weights: Floats) -> Floats:
    """`rows.T @ diag(weights) @ rows`, symmetric; summed in single precision, which the noise of scans never sees."""
    scaled = (rows * np.sqrt(weights)[:, None]).astype(np.float32)
    upper = linalg.blas.ssyrk(1.0, scaled.T, trans=0).astype(float)
    return upper + np.triu(upper, 1).T
