"""Training faces drawn from a linear model and varied beyond its span: blended, with expressions, mirrored, scaled."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Bools, Floats, read_only
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from facecom.model.population import mirrored
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL, Template

JAW_OPEN = "jawOpen"
"""The expression that turns the jaw."""
JAW_HINGE = ((0.0, 1.0, -85.0), (1.0, 0.0, 0.0))
"""A point between the jaw's joints, mm, face frame, and the axis of rotation."""
ABOVE_JAW_MM = 25.0
"""What lies higher does not move with the jaw."""
LEAST_SQUARED_ARM_MM2 = 100.0
"""Bound on the squared lever arm: next to the hinge no angle follows from a displacement."""
SUBTLE_PREFIXES = ("eyeWide", "jaw", "mouthFunnel", "mouthPucker", "mouthRoll")
"""Expressions that scans of people at rest hardly show."""
SIDE_DIFFERENCE = 0.15
"""Standard deviation by which left and right differ, as a share of the expression's own."""
MIRRORED_SHARE = 0.5
"""Share of the draws that are mirrored."""
BLEND_OFFSET_SD_MM = 25.0
"""Standard deviation of where, along the blend's direction, both draws count alike."""
BLEND_WIDTH_MM = (20.0, 50.0)
"""Range of the width over which one draw turns into the other."""


@dataclass(frozen=True)
class AugmentationSettings:
    """How training faces are drawn."""

    size_sd: float = 0.04
    """Standard deviation of the logarithm of the size as a whole."""
    expression_sd: float = 0.1
    """Of the weight of each expression, cut at 0."""
    subtle_sd: float = 0.05
    """The same for expressions that scans of people at rest hardly show."""
    blink_sd: float = 0.4
    """The same for closed eyelids."""
    jaw_sd: float = 0.08
    """Of the weight with which the jaw opens; at 1 it is wide open."""
    displacement_share: float = 0.35
    """Share of the draws that are given displacements, where there are any."""

    def sd_of(self, expression: str) -> float:
        """Standard deviation of the weight of a named expression."""
        if expression == JAW_OPEN:
            return self.jaw_sd
        if expression.startswith("eyeBlink"):
            return self.blink_sd
        return self.subtle_sd if expression.startswith(SUBTLE_PREFIXES) else self.expression_sd


def augmented_faces(
    model: LinearGenerator,
    count: int,
    *,
    seed: int,
    expressions: ExpressionBasis | None = None,
    displacements: Sequence[np.ndarray] = (),
    settings: AugmentationSettings | None = None,
) -> np.ndarray:
    """Faces (count, V2, 3) float32 on `SHAPE_LEVEL`, mm: each a smooth blend of two draws, with expression and size.

    The blend weight changes over the face along a random direction, the jaw rotates about its hinge, and size
    multiplies shape: none of it is linear in any code. A difference between left and right makes faces asymmetric;
    half of the draws are mirrored.

    Parameters
    ----------
    model : whose modes are drawn from; its discrepancy is left out, it is roughness and not likeness
    expressions : expressions to add; none unless given
    displacements : arrays (K, V2, 3), mm, of other sources' faces from their average
    settings : AugmentationSettings

    Raises
    ------
    ValueError
        When `count` is negative.

    Examples
    --------
    >>> model = LinearGenerator.load()
    >>> augmented_faces(model, 2, seed=0).shape == (2, model.template.counts[2], 3)
    True
    """
    if count < 0:
        raise ValueError(f"the number of faces must not be negative, got {count}")
    settings = settings or AugmentationSettings()
    rng, template = np.random.default_rng(seed), model.template
    mean = template.vertices[: template.counts[SHAPE_LEVEL]]
    moving = ExpressionModel.from_basis(template, expressions) if expressions else None
    out = np.empty((count, len(mean), 3), np.float32)
    for k in range(count):
        first, second = (_draw_displacement(model, displacements, rng, settings) for _ in range(2))
        weight = _blend_weights(mean, rng)[:, None]
        # a blend has less variance than its parts; the root gives it back
        face = mean + (weight * first + (1.0 - weight) * second) / np.sqrt(weight**2 + (1.0 - weight) ** 2)
        if moving is not None:
            face = moving.apply(face, _draw_expression_weights(moving.names, rng, settings))
        out[k] = face * np.exp(rng.normal(0.0, settings.size_sd))
    return out


@dataclass(frozen=True, eq=False)
class ExpressionModel:
    """Expressions on `SHAPE_LEVEL`; the jaw's is a rotation about its hinge and a linear remainder.

    modes : (K, V2, 3), mm at weight one, the jaw's without the rotation; jaw_angle : (V2,), rad at weight one
    """

    names: tuple[str, ...]
    modes: np.ndarray
    jaw_angle: Floats

    @classmethod
    def from_basis(cls, template: Template, expressions: ExpressionBasis) -> ExpressionModel:
        """Prolong expressions to `SHAPE_LEVEL` and find how far each vertex rotates with the jaw."""
        modes = np.moveaxis(expressions.modes, 0, 1)
        modes = template.prolong(modes, from_level=FIT_LEVEL, to_level=SHAPE_LEVEL, scheme="loop")
        modes = np.moveaxis(modes, 1, 0).astype(np.float32)
        jaw_angle = np.zeros(modes.shape[1])
        if JAW_OPEN in expressions.names:
            k = expressions.names.index(JAW_OPEN)
            points = template.vertices[: len(jaw_angle)]
            tangent = np.cross(JAW_HINGE[1], points - np.asarray(JAW_HINGE[0]))
            modes[k] -= _common_rigid_motion(modes[k], points, points[:, 1] > ABOVE_JAW_MM)
            squared_arm = np.maximum(np.sum(tangent**2, axis=1), LEAST_SQUARED_ARM_MM2)
            jaw_angle = np.einsum("vd,vd->v", tangent, modes[k]) / squared_arm
            jaw_angle = np.maximum(jaw_angle, 0.0)
            modes[k] -= (jaw_angle[:, None] * tangent).astype(np.float32)
        return cls(expressions.names, read_only(modes, np.float32), read_only(jaw_angle, np.float64))

    def apply(self, face: Floats, weights: Floats) -> Floats:
        """Vertices (V2, 3) of a face with expressions of weights (K,)."""
        moved = face + np.tensordot(np.asarray(weights, np.float32), self.modes, axes=1)
        if JAW_OPEN not in self.names:
            return moved
        angle = weights[self.names.index(JAW_OPEN)] * self.jaw_angle
        axis, arm = np.asarray(JAW_HINGE[1]), face - np.asarray(JAW_HINGE[0])
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        rotated = arm * cos + np.cross(axis, arm) * sin + np.outer(arm @ axis, axis) * (1.0 - cos)
        return moved + rotated - arm


def _common_rigid_motion(moved: Floats, points: Floats, still: Bools) -> Floats:
    """The small rigid motion (V, 3) that displacements have in common where nothing should move."""
    rotations = [np.cross(axis, points) for axis in np.eye(3)]
    basis = np.stack([*rotations, *(np.broadcast_to(axis, points.shape) for axis in np.eye(3))])
    coefficients = np.linalg.lstsq(basis[:, still].reshape(6, -1).T, moved[still].ravel(), rcond=None)[0]
    return np.tensordot(coefficients, basis, axes=1)


def _draw_displacement(
    model: LinearGenerator,
    displacements: Sequence[np.ndarray],
    rng: np.random.Generator,
    settings: AugmentationSettings,
) -> np.ndarray:
    """Displacement (V2, 3) of one face from the mean."""
    if displacements and rng.uniform() < settings.displacement_share:
        source = displacements[int(rng.integers(len(displacements)))]
        drawn = source[rng.integers(len(source))]
    else:
        code = rng.normal(size=model.identity_size).astype(np.float32)
        drawn = np.tensordot(code, model.modes, axes=1)
    mirror = model.template.mirror[: len(drawn)]
    return mirrored(drawn, mirror) if rng.uniform() < MIRRORED_SHARE else drawn


def _draw_expression_weights(
    names: tuple[str, ...], rng: np.random.Generator, settings: AugmentationSettings
) -> Floats:
    """Weights (K,) of the expressions; both sides of the face move nearly alike."""
    shared: dict[str, float] = {}
    out = np.zeros(len(names))
    for k, name in enumerate(names):
        sd = settings.sd_of(name)
        both = shared.setdefault(name.removesuffix("_L").removesuffix("_R"), float(rng.normal(0.0, sd)))
        out[k] = np.clip(both + rng.normal(0.0, SIDE_DIFFERENCE * sd), 0.0, 1.0)
    return out


def _blend_weights(mean: Floats, rng: np.random.Generator) -> Floats:
    """How much of the first draw each vertex takes, 0..1, (V,): a sigmoid along a random direction."""
    direction = rng.normal(size=3)
    along = mean @ (direction / np.linalg.norm(direction))
    middle = rng.normal(np.median(along), BLEND_OFFSET_SD_MM)
    return 1.0 / (1.0 + np.exp(-(along - middle) / rng.uniform(*BLEND_WIDTH_MM)))
