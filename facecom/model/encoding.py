"""The code of a given face: regularised least squares over a model's vertices, by Gauss-Newton steps.

All models are encoded on `SHAPE_LEVEL`, where their modes live. Vertices of the finest level are brought there first.
"""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy import linalg
from scipy.sparse.linalg import cg

from facecom.geometry.mesh import Floats
from facecom.model.protocol import FaceModel
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL, Template

SIGMA_MM = 0.01
"""How exactly given vertices are taken: beside this the prior decides only what the vertices hardly show."""
CONVERGED_STEP = 1e-5
"""A step that moves no entry of the code by more is the last."""
CHUNK_ROWS = 4096
"""Rows of a Jacobian that are brought to double precision at a time."""
RESTRICTION_TOLERANCE = 1e-12
"""Relative residual at which the vertices of `SHAPE_LEVEL` under finer ones count as found."""


def encode(
    model: FaceModel,
    vertices: Floats,
    *,
    start: Floats | None = None,
    steps: int = 1,
    sigma_mm: float = SIGMA_MM,
    gram: Floats | None = None,
) -> Floats:
    """The code c that minimises |decode(c) - vertices|^2 / sigma^2 + |c|^2 on `SHAPE_LEVEL`, (M,).

    Parameters
    ----------
    vertices : (V2, 3) of `SHAPE_LEVEL` or (V3, 3) of `FINEST_LEVEL`, mm, face frame
    start : (M,) code to begin with; zero unless given
    steps : Gauss-Newton steps; one is exact for a linear model. A step that makes it worse is halved, then given up
    sigma_mm : standard deviation of the vertices
    gram : (M, M) product of the Jacobian with itself, where it is the same for every code and known

    Raises
    ------
    ValueError
        When the vertices are not of one of the two levels.

    Examples
    --------
    >>> from facecom.model.linear.generator import LinearGenerator
    >>> model = LinearGenerator.load()
    >>> mean = model.mean(SHAPE_LEVEL).vertices
    >>> bool(np.abs(encode(model, mean, gram=np.eye(model.code_size))).max() < 1e-9)
    True
    """
    target = to_shape_level(model.template, vertices)
    code = np.zeros(model.code_size) if start is None else np.asarray(start, float)
    residual = target - model.decode(code, level=SHAPE_LEVEL)
    for _ in range(steps):
        jacobian = model.jacobian(code, level=SHAPE_LEVEL)
        precision = (gram_matrix(jacobian) if gram is None else gram) / sigma_mm**2
        precision[np.diag_indices_from(precision)] += 1.0
        slope = _transposed_product(jacobian, residual.ravel()) / sigma_mm**2 - code
        step = linalg.solve(precision, slope, assume_a="pos")
        if steps == 1 or np.abs(step).max() < CONVERGED_STEP:
            return code + step
        better = _improved(model, target, code, step, residual, sigma_mm=sigma_mm)
        if better is None:
            break
        code, residual = better
    return code


def _improved(
    model: FaceModel, target: Floats, code: Floats, step: Floats, residual: Floats, *, sigma_mm: float
) -> tuple[Floats, Floats] | None:
    """Code and residual after a whole, half or quarter step, the first that lowers the cost; None where none does."""
    before = np.sum(residual**2) / sigma_mm**2 + code @ code
    for share in (1.0, 0.5, 0.25):
        moved = code + share * step
        left = target - model.decode(moved, level=SHAPE_LEVEL)
        if np.sum(left**2) / sigma_mm**2 + moved @ moved < before:
            return moved, left
    return None


def gram_matrix(jacobian: Floats) -> Floats:
    """`J^T J` (M, M) in double precision, whatever the precision of J (N, M)."""
    total = np.zeros((jacobian.shape[1], jacobian.shape[1]))
    for first in range(0, len(jacobian), CHUNK_ROWS):
        rows = jacobian[first : first + CHUNK_ROWS].astype(float)
        total += rows.T @ rows
    return total


def _transposed_product(jacobian: Floats, values: Floats) -> Floats:
    """`J^T r` (M,) in double precision."""
    total = np.zeros(jacobian.shape[1])
    for first in range(0, len(jacobian), CHUNK_ROWS):
        last = first + CHUNK_ROWS
        total += values[first:last] @ jacobian[first:last].astype(float)
    return total


def to_shape_level(template: Template, vertices: Floats) -> Floats:
    """Vertices (V2, 3) of `SHAPE_LEVEL` whose smooth subdivision is nearest to finest ones; those of the level itself.

    Raises
    ------
    ValueError
        When the vertices are of neither level.
    """
    vertices = np.asarray(vertices, float)
    count, finest = template.counts[SHAPE_LEVEL], template.counts[FINEST_LEVEL]
    if vertices.shape not in ((count, 3), (finest, 3)):
        raise ValueError(f"expected {count} or {finest} vertices of the template (V, 3), got shape {vertices.shape}")
    if len(vertices) == count:
        return vertices
    subdivision: sp.csr_matrix = template.prolongation(SHAPE_LEVEL, scheme="loop")
    offset = subdivision.T @ (vertices - template.vertices)
    normal = (subdivision.T @ subdivision).tocsr()
    solved = [cg(normal, offset[:, k], rtol=RESTRICTION_TOLERANCE)[0] for k in range(3)]
    return template.vertices[:count] + np.stack(solved, axis=1)
