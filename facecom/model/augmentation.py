"""Faces to train on, drawn from a linear model and mixed, moved and scaled so that they leave its span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import Bools, Floats, read_only
from facecom.model.expressions import LEVEL, ExpressionBasis
from facecom.model.linear.generator import MODE_LEVEL, LinearGenerator
from facecom.model.population import mirrored
from facecom.model.template import Template

JAW = "jawOpen"
HINGE = ((0.0, 1.0, -85.0), (1.0, 0.0, 0.0))
"""A point between the jaw's joints, mm, face frame, and the axis it turns about."""
ABOVE_JAW_MM = 25.0
"""What lies higher does not move with the jaw."""
QUIET = ("eyeWide", "jaw", "mouthFunnel", "mouthPucker", "mouthRoll")


@dataclass(frozen=True)
class AugmentationSettings:
    """How faces are drawn."""

    size_sd: float = 0.04
    """Standard deviation of the logarithm of the size as a whole."""
    expression_sd: float = 0.1
    """Of the weight of each expression, cut at 0."""
    quiet_sd: float = 0.05
    """The same for movements that scans of people at rest hardly show."""
    blink_sd: float = 0.4
    jaw_sd: float = 0.08
    """Of the weight with which the jaw opens; at 1 it is wide open."""
    others: float = 0.35
    """Share of the draws that are displacements of other sources, where there are any."""


def augmented_faces(
    model: LinearGenerator,
    count: int,
    *,
    seed: int,
    expressions: ExpressionBasis | None = None,
    others: Sequence[np.ndarray] = (),
    settings: AugmentationSettings | None = None,
) -> np.ndarray:
    """Faces (count, V2, 3) float32 on level 2, mm: each a smooth mix of two draws, then moved and scaled as a whole.

    The share of the two draws changes over the face along a random direction, the jaw turns about its hinge, and size
    multiplies shape: none of it is linear in any code. The share that differs from left to right makes faces
    asymmetric; half of the draws are mirrored.

    Parameters
    ----------
    model : whose modes are drawn from; its discrepancy is left out, it is roughness and not likeness
    expressions : movements to add; none unless given
    others : displacements (K, V2, 3) from an average, of sources beside the model, mm
    settings : MixSettings

    Examples
    --------
    >>> model = LinearGenerator.load()
    >>> mixed_faces(model, 2, seed=0).shape == (2, model.template.counts[2], 3)
    True
    """
    if count < 0:
        raise ValueError(f"the number of faces must not be negative, got {count}")
    settings = settings or AugmentationSettings()
    rng, template = np.random.default_rng(seed), model.template
    mean = template.vertices[: template.counts[MODE_LEVEL]]
    moves = ExpressionModel.of(template, expressions) if expressions else None
    out = np.empty((count, len(mean), 3), np.float32)
    for k in range(count):
        first, second = (_draw(model, others, rng, settings) for _ in range(2))
        share = _share(mean, rng)[:, None]
        # a mix has less variance than its parts; this gives it back
        face = mean + (share * first + (1.0 - share) * second) / np.sqrt(share**2 + (1.0 - share) ** 2)
        if moves is not None:
            face = moves.apply(face, _weights(moves.names, rng, settings))
        out[k] = face * np.exp(rng.normal(0.0, settings.size_sd))
    return out


@dataclass(frozen=True, eq=False)
class ExpressionModel:
    """Expressions on level 2, the jaw's as a turn about its hinge and what that leaves over.

    modes : (K, V2, 3), mm at weight one, the jaw's without the turn; turn : (V2,), rad at weight one
    """

    names: tuple[str, ...]
    modes: np.ndarray
    turn: Floats

    @classmethod
    def of(cls, template: Template, expressions: ExpressionBasis) -> ExpressionModel:
        """Carry expressions to level 2 and find how far each vertex turns with the jaw."""
        modes = np.moveaxis(expressions.modes, 0, 1)
        modes = template.prolong(modes, from_level=LEVEL, to_level=MODE_LEVEL, scheme="loop")
        modes = np.moveaxis(modes, 1, 0).astype(np.float32)
        turn = np.zeros(modes.shape[1])
        if JAW in expressions.names:
            k = expressions.names.index(JAW)
            places = template.vertices[: len(turn)]
            along = np.cross(HINGE[1], places - np.asarray(HINGE[0]))
            modes[k] -= _motion(modes[k], places, places[:, 1] > ABOVE_JAW_MM)
            turn = np.einsum("vd,vd->v", along, modes[k]) / np.maximum(np.sum(along**2, axis=1), 100.0)
            turn = np.maximum(turn, 0.0)
            modes[k] -= (turn[:, None] * along).astype(np.float32)
        return cls(expressions.names, read_only(modes, np.float32), read_only(turn, np.float64))

    def apply(self, face: Floats, weights: Floats) -> Floats:
        """Vertices (V2, 3) of a face after movements with weights (K,)."""
        moved = face + np.tensordot(np.asarray(weights, np.float32), self.modes, axes=1)
        if JAW not in self.names:
            return moved
        angle = weights[self.names.index(JAW)] * self.turn
        axis, arm = np.asarray(HINGE[1]), face - np.asarray(HINGE[0])
        cos, sin = np.cos(angle)[:, None], np.sin(angle)[:, None]
        turned = arm * cos + np.cross(axis, arm) * sin + np.outer(arm @ axis, axis) * (1.0 - cos)
        return moved + turned - arm


def _motion(moved: Floats, places: Floats, still: Bools) -> Floats:
    """The small rigid motion (V, 3) that displacements have in common where nothing should move."""
    turns = [np.cross(axis, places) for axis in np.eye(3)]
    basis = np.stack([*turns, *(np.broadcast_to(axis, places.shape) for axis in np.eye(3))])
    share = np.linalg.lstsq(basis[:, still].reshape(6, -1).T, moved[still].ravel(), rcond=None)[0]
    return np.tensordot(share, basis, axes=1)


def _draw(
    model: LinearGenerator, others: Sequence[np.ndarray], rng: np.random.Generator, settings: AugmentationSettings
) -> np.ndarray:
    """Displacement (V2, 3) of one face from the mean."""
    if others and rng.uniform() < settings.others:
        source = others[int(rng.integers(len(others)))]
        found = source[rng.integers(len(source))]
    else:
        code = rng.normal(size=model.identity_size).astype(np.float32)
        found = np.tensordot(code, model.modes, axes=1)
    mirror = model.template.mirror[: len(found)]
    return mirrored(found, mirror) if rng.uniform() < 0.5 else found


def _weights(names: tuple[str, ...], rng: np.random.Generator, settings: AugmentationSettings) -> Floats:
    """Weights of the expressions; both sides of the face move nearly alike."""
    drawn: dict[str, float] = {}
    out = np.zeros(len(names))
    for k, name in enumerate(names):
        sd = settings.quiet_sd if name.startswith(QUIET) else settings.expression_sd
        sd = settings.jaw_sd if name == JAW else settings.blink_sd if name.startswith("eyeBlink") else sd
        both = drawn.setdefault(name.removesuffix("_L").removesuffix("_R"), float(rng.normal(0.0, sd)))
        out[k] = np.clip(both + rng.normal(0.0, 0.15 * sd), 0.0, 1.0)
    return out


def _share(mean: Floats, rng: np.random.Generator) -> Floats:
    """How much of the first draw each vertex takes, 0..1, (V,)."""
    direction = rng.normal(size=3)
    along = mean @ (direction / np.linalg.norm(direction))
    return 1.0 / (1.0 + np.exp(-(along - rng.normal(np.median(along), 25.0)) / rng.uniform(20.0, 50.0)))
