"""Take the expression out of a registered face: which part of its shape is a smile, and which is the person.

Identity is the face model's code with its prior N(0, 1), expression a set of movements with weights between 0 and 1;
both are fitted at once to the registered vertices, and the expression is subtracted.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, optimize

from facecom.fitting.normal_equations import MOTION_SIZE, cholesky_lower
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Floats
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FIT_LEVEL

MOTION_PRIOR = 1e-6
"""Information about the motion of a face, next to none: it is registered already."""


@dataclass(frozen=True)
class ExpressionSettings:
    """How identity and expression are told apart."""

    noise_mm: float = 0.5
    """Standard deviation of what neither explains, of a vertex of average area."""
    weight_sd: float = 0.15
    """Standard deviation of a weight: most movements are small in most faces."""
    least_weight: float = 0.02
    """Smaller weights are not named in the result."""


def expression_weights(
    vertices: Floats,
    model: LinearGenerator,
    expressions: ExpressionBasis,
    *,
    trust: Floats | None = None,
    settings: ExpressionSettings | None = None,
) -> Floats:
    """Weights (K,) in 0..1 of the expressions in a face, fitted together with who it is and a small motion.

    Parameters
    ----------
    vertices : (V1, 3) float, mm, face frame, on the level of the expressions
    model : what faces without expression look like
    expressions : Expressions
    trust : (V1,) in 0..1, how much each vertex counts; all the same unless given
    settings : ExpressionSettings

    Raises
    ------
    ValueError
        When the vertices are of another topology.
    """
    settings = settings or ExpressionSettings()
    mean, faces = model.template.vertices[: model.template.counts[FIT_LEVEL]], model.template.faces[FIT_LEVEL]
    if not vertices.shape == mean.shape == expressions.modes.shape[1:]:
        raise ValueError(f"expected vertices {mean.shape} and expressions alike, got {vertices.shape}")
    area = vertex_areas(mean, faces)
    share = (area / area.mean()) * (1.0 if trust is None else trust)
    root = np.repeat(np.sqrt(share) / settings.noise_mm, 3)
    turns = [np.cross(axis, mean).ravel() for axis in np.eye(3)]
    shifts = [np.tile(axis, len(mean)) for axis in np.eye(3)]
    person = (
        np.column_stack([model.jacobian(np.zeros(model.code_size), level=FIT_LEVEL), *turns, *shifts]) * root[:, None]
    )
    moves = expressions.modes.reshape(len(expressions.modes), -1).T * root[:, None]
    target = (vertices - mean).ravel() * root
    prior = np.concatenate([np.ones(model.code_size), np.full(MOTION_SIZE, MOTION_PRIOR)])
    both = person.T @ np.column_stack([moves, target])
    explained = linalg.cho_solve((cholesky_lower(person.T @ person + np.diag(prior)), True), both)
    inner = moves.T @ np.column_stack([moves, target]) - both[:, :-1].T @ explained
    system = inner[:, :-1] + np.eye(len(inner)) / settings.weight_sd**2
    upper = cholesky_lower(0.5 * (system + system.T)).T
    right = linalg.solve_triangular(upper, inner[:, -1], trans="T")
    return optimize.lsq_linear(upper, right, bounds=(0.0, 1.0)).x
