"""Random faces and the way from one face to another, for every generator with a Gaussian code."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats, Mesh
from facecom.model.protocol import FaceModel
from facecom.model.template import FINEST_LEVEL


def sample_codes(model: FaceModel, count: int, *, seed: int, identity_only: bool = True) -> Floats:
    """Codes (count, M) drawn from the prior; the same seed gives the same codes.

    Parameters
    ----------
    identity_only : leave the entries beyond a model's `identity_size` at zero: they are roughness, not likeness

    Raises
    ------
    ValueError
        When `count` is negative.

    Examples
    --------
    >>> from facecom.model.linear.generator import LinearGenerator
    >>> model = LinearGenerator.load()
    >>> sample_codes(model, 2, seed=0).shape == (2, model.code_size)
    True
    """
    if count < 0:
        raise ValueError(f"the number of faces must not be negative, got {count}")
    codes = np.random.default_rng(seed).normal(size=(count, model.code_size))
    if identity_only:
        codes[:, model.identity_size :] = 0.0
    return codes


def sample_meshes(model: FaceModel, count: int, *, seed: int, level: int = FINEST_LEVEL) -> list[Mesh]:
    """Faces drawn from the prior, face frame, mm; face k does not depend on how many are drawn."""
    codes = sample_codes(model, count, seed=seed)
    return [Mesh(model.decode(code, level=level), model.faces(level)) for code in codes]


def sample_mesh(model: FaceModel, seed: int, *, level: int = FINEST_LEVEL) -> Mesh:
    """The first of `sample_meshes`, with the template's uv."""
    code = sample_codes(model, 1, seed=seed)[0]
    return model.template.mesh(level).with_vertices(model.decode(code, level=level))


def interpolate(first: Floats, second: Floats, steps: int) -> Floats:
    """Codes (steps, M) on the way from one to another that stay as likely as the ends are.

    Direction and length are interpolated apart: on the straight line between two faces the middle would be an average
    face, shorter in code than real ones are.

    Parameters
    ----------
    first, second : (M,) codes
    steps : at least 2; the ends are the given codes

    Raises
    ------
    ValueError
        When the codes differ in size or there are fewer than two steps.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    if first.ndim != 1 or first.shape != second.shape:
        raise ValueError(f"expected two codes of one size, got shapes {first.shape} and {second.shape}")
    if steps < 2:
        raise ValueError(f"the way needs at least 2 steps, got {steps}")
    share = np.linspace(0.0, 1.0, steps)[:, None]
    lengths = np.linalg.norm(first), np.linalg.norm(second)
    straight = (1.0 - share) * first + share * second
    if min(lengths) < 1e-12:
        return straight
    a, b = first / lengths[0], second / lengths[1]
    angle = np.arccos(np.clip(a @ b, -1.0, 1.0))
    if np.sin(angle) < 1e-6:
        return straight
    turned = (np.sin((1.0 - share) * angle) * a + np.sin(share * angle) * b) / np.sin(angle)
    out = turned * ((1.0 - share) * lengths[0] + share * lengths[1])
    out[0], out[-1] = first, second
    return out
