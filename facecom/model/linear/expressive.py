"""Identity and expression apart: a code whose leading part is the person and whose rest is the expression."""

from __future__ import annotations

import functools
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.model.encoding import encode
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.sampling import sample_mesh
from facecom.model.template import FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL, Template

ENCODE_STEPS = 5
"""Gauss-Newton steps of `encode` where the model of people is not linear."""


@dataclass(frozen=True, eq=False, repr=False)
class ExpressiveGenerator:
    """An identity model with expressions added: takes its place in `complete(scan, model=...)`.

    The code holds the identity's M entries, then one for each expression, all N(0, 1); an expression's weight is its
    entry times `weight_sd`. A fitted face is relaxed by setting the second part to zero, see `relaxed`.

    Parameters
    ----------
    identity : the model of people
    expressions : the shipped ones unless given
    weight_sd : standard deviation of an expression's weight; 1 is the full expression

    Examples
    --------
    >>> model = ExpressiveGenerator(LinearGenerator.load())
    >>> code = model.compose(np.zeros(model.identity.code_size), {"jawOpen": 0.3})
    >>> round(model.weights(code)["jawOpen"], 6)
    0.3
    >>> bool(np.all(model.relaxed(code) == 0.0))
    True
    """

    identity: FaceModel
    expressions: ExpressionBasis = field(default_factory=ExpressionBasis.load)
    weight_sd: float = 0.15

    @property
    def template(self) -> Template:
        """The template with the identity's mean face."""
        return self.identity.template

    @property
    def code_size(self) -> int:
        """Number of code entries, identity and expressions."""
        return self.identity.code_size + len(self.expressions.names)

    @property
    def identity_size(self) -> int:
        """Number of leading code entries that random faces draw."""
        return self.identity.identity_size

    @property
    def description(self) -> dict[str, Any]:
        """Where the parts are from."""
        names = list(self.expressions.names)
        return {"format": "expressive", "person": self.identity.description, "expressions": names}

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""
        return self.template.faces[level]

    def mean(self, level: int = FINEST_LEVEL) -> Mesh:
        """The mean face, without expression."""
        return self.template.mesh(level).with_vertices(self.decode(np.zeros(self.code_size), level=level))

    def sample(self, seed: int, *, level: int = FINEST_LEVEL) -> Mesh:
        """A face without expression, drawn from the prior."""
        return sample_mesh(self, seed, level=level)

    def encode(self, vertices: Floats) -> Floats:
        """Code of vertices (V, 3) of `SHAPE_LEVEL` or `FINEST_LEVEL`, mm, face frame.

        Least squares with the prior on `SHAPE_LEVEL`. What an expression and a person can both explain is shared
        between them as the prior has it.

        Raises
        ------
        ValueError
            When the vertices are of neither level.
        """
        return encode(self, vertices, steps=1 if isinstance(self.identity, LinearGenerator) else ENCODE_STEPS)

    def compose(self, identity: Floats, weights: dict[str, float]) -> Floats:
        """The code of a person (M,) with expressions of given weights.

        Raises
        ------
        ValueError
            When an expression is unknown; the message lists the names.
        """
        names = self.expressions.names
        if unknown := sorted(set(weights) - set(names)):
            raise ValueError(f"there is no expression {unknown[0]!r}; there are {', '.join(names)}")
        given = np.array([weights.get(name, 0.0) for name in names])
        return np.concatenate([np.asarray(identity, float), given / self.weight_sd])

    def split(self, code: Floats) -> tuple[Floats, Floats]:
        """The identity's part of a code, (M,), and the weights of the expressions, (K,)."""
        code = self._checked(code)
        return code[: self.identity.code_size].copy(), code[self.identity.code_size :] * self.weight_sd

    def weights(self, code: Floats, *, least: float = 0.02) -> dict[str, float]:
        """Weights of the expressions in a code by name; those below `least` in size are left out."""
        found = zip(self.expressions.names, self.split(code)[1].tolist(), strict=True)
        return {name: weight for name, weight in found if abs(weight) >= least}

    def relaxed(self, code: Floats) -> Floats:
        """The same person without expression: a new code."""
        out = self._checked(code).copy()
        out[self.identity.code_size :] = 0.0
        return out

    def decode(self, code: Floats, *, level: int = FINEST_LEVEL) -> Floats:
        """Vertices of a level for a code: (V, 3), mm, face frame.

        Raises
        ------
        ValueError
            When the code has another length.
        """
        identity, weights = self.split(code)
        reached = min(level, SHAPE_LEVEL)
        moved = np.tensordot(weights, self._modes[:, : self.template.counts[reached]], axes=1)
        if level > SHAPE_LEVEL:
            moved = self.prolong_offset(moved, from_level=SHAPE_LEVEL, to_level=level)
        return self.identity.decode(identity, level=level) + moved

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices, (3 V, M + K), mm; levels 0 to 2."""
        identity, _ = self.split(code)
        expressions = self._modes[:, : self.template.counts[level]].reshape(len(self._modes), -1).T * self.weight_sd
        return np.concatenate([self.identity.jacobian(identity, level=level), expressions], axis=1)

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Prolong displacements (V, ...) to a finer level, smoothly."""
        return self.identity.prolong_offset(offset, from_level=from_level, to_level=to_level)

    def _checked(self, code: Floats) -> Floats:
        code = np.asarray(code, float)
        if code.shape != (self.code_size,):
            raise ValueError(f"expected a code of {self.code_size} entries, got shape {code.shape}")
        return code

    @functools.cached_property
    def _modes(self) -> Floats:
        """The expressions on level 2, (K, V2, 3); coarser levels are its first vertices."""
        modes = np.moveaxis(self.expressions.modes, 0, 1)
        return np.moveaxis(
            self.template.prolong(modes, from_level=FIT_LEVEL, to_level=SHAPE_LEVEL, scheme="loop"), 1, 0
        ).copy()
