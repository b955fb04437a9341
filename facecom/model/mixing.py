"""Faces to train on, drawn from a linear model and mixed so that they leave its span."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats
from facecom.model.linear import MODE_LEVEL, LinearGenerator

SIZE_SD = 0.04


def mixed_faces(model: LinearGenerator, count: int, *, seed: int) -> np.ndarray:
    """Faces (count, V2, 3) float32 on level 2, mm: each a smooth mix of two draws, then scaled as a whole.

    The share of the two draws changes over the face along a random direction, and size multiplies shape: neither is
    linear in any code, and the share that differs from left to right makes faces asymmetric.

    Parameters
    ----------
    model : whose modes are drawn from; its discrepancy is left out, it is roughness and not likeness

    Examples
    --------
    >>> model = LinearGenerator.load()
    >>> mixed_faces(model, 2, seed=0).shape == (2, model.template.counts[2], 3)
    True
    """
    if count < 0:
        raise ValueError(f"the number of faces must not be negative, got {count}")
    rng = np.random.default_rng(seed)
    mean = model.template.vertices[: model.template.counts[MODE_LEVEL]]
    out = np.empty((count, len(mean), 3), np.float32)
    for k in range(count):
        first, second = np.tensordot(rng.normal(size=(2, model.identity_size)).astype(np.float32), model.modes, axes=1)
        share = _share(mean, rng)[:, None]
        shape = share * first + (1.0 - share) * second
        # a mix has less variance than its parts; this gives it back
        shape /= np.sqrt(share**2 + (1.0 - share) ** 2)
        out[k] = (mean + shape) * np.exp(rng.normal(0.0, SIZE_SD))
    return out


def _share(mean: Floats, rng: np.random.Generator) -> Floats:
    """How much of the first draw each vertex takes, 0..1, (V,)."""
    direction = rng.normal(size=3)
    along = mean @ (direction / np.linalg.norm(direction))
    return 1.0 / (1.0 + np.exp(-(along - rng.normal(np.median(along), 25.0)) / rng.uniform(8.0, 25.0)))
