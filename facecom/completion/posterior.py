"""The posterior of a completed face: how freely each vertex may move, and where it goes for another code."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.completion.state import CompletionState, known
from facecom.fitting.fit import Fit
from facecom.fitting.posterior import (
    condition_on_points,
    distance_to_observed,
    far_factor,
    mobility,
    motion_jacobian,
    sample_posterior,
    variance_factor,
)
from facecom.geometry.mesh import Floats, Ints
from facecom.model.protocol import FaceModel
from facecom.model.template import FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL
from facecom.projection.project import Projection

MOTION = 6
"""Entries of a rigid motion at the end of each deviation of code and motion."""
LEAST_MOBILITY = 0.02
"""A point that may move less than this share of the posterior lies on observed surface."""


@dataclass(frozen=True, eq=False)
class FacePosterior:
    """What a completion rests on, so that it can be sampled and refitted; lengths in mm, face frame."""

    state: CompletionState

    @property
    def _fit(self) -> Fit:
        return known(self.state.fit, "fit")

    @property
    def _model(self) -> FaceModel:
        return known(self.state.model, "load model")

    @property
    def _projection(self) -> Projection:
        return known(self.state.projection, "project")

    @functools.cached_property
    def mobility(self) -> Floats:
        """How freely each vertex of the face may move, (V,): 0 where observed, 1 deep in a hole."""
        face = self._projection
        return mobility(face.vertices, face.observed, settings=self.state.settings.posterior)

    @functools.cached_property
    def spread(self) -> Floats:
        """How much wider than the fit's posterior each vertex may lie, (V,): more the farther from the observed."""
        options, face = self.state.settings.posterior, self._projection
        away = distance_to_observed(face.vertices, face.observed, reach_mm=options.search_mm)
        return far_factor(away, settings=options)

    @property
    def factor(self) -> float:
        """Factor on the fit's standard deviations."""
        return variance_factor(self._fit.terms["plane_rms_mm"], settings=self.state.settings.posterior)

    def draw(self, count: int, *, seed: int) -> list[Floats]:
        """Displacements (V, 3) of other faces that explain the scan as well; the first ones do not hang on `count`."""
        drawn = sample_posterior(self._fit.precision, count=count, seed=seed)
        return [self.spread[:, None] * self.displacement(self.factor * deviation) for deviation in drawn]

    def drag(self, points: Mapping[str | int, Any], goal: Floats, *, sigma_mm: float) -> Floats:
        """The most likely displacement (V, 3) that brings named points or vertices to their goals (n, 3).

        Raises
        ------
        ValueError
            For unknown landmarks, and for points on observed surface, which does not move.
        """
        template = self._model.template
        pick = np.array([k if isinstance(k, int) else template.landmark_index(k) for k in points], dtype=np.int64)
        fixed = self.mobility[pick] < LEAST_MOBILITY
        if fixed.any():
            name = list(points)[int(np.argmax(fixed))]
            raise ValueError(f"the point {name!r} lies on observed surface, which does not move; drag one of the hole")
        residuals = (goal - self._projection.vertices[pick]).ravel()
        rows = self.rows(pick).reshape(3 * len(pick), -1)
        sigma = np.full(len(residuals), sigma_mm)
        deviation = condition_on_points(rows, self._fit.precision, residuals, sigma_mm=sigma, factor=self.factor)
        return self.displacement(deviation)

    def rows(self, pick: Ints) -> Floats:
        """Derivative (n, 3, M + 6) of finest-level vertices by code and motion, as far as they are free."""
        model = self._model
        level = FIT_LEVEL if pick.max(initial=0) < model.template.counts[FIT_LEVEL] else SHAPE_LEVEL
        count = model.template.counts[level]
        if pick.max(initial=0) >= count:
            raise ValueError(f"vertex {int(pick.max())} is finer than level {level}; drag one of the first {count}")
        jacobian = model.jacobian(self._fit.code, level=level).reshape(count, 3, -1)[pick]
        both = np.concatenate([jacobian, motion_jacobian(self._projection.vertices[pick])], axis=2)
        return self.mobility[pick][:, None, None] * both

    def displacement(self, deviation: Floats) -> Floats:
        """Movement (V, 3) of the finest level for a deviation (M + 6,) of code and motion."""
        model, code = self._model, self._fit.code
        at = [model.decode(c, level=SHAPE_LEVEL) for c in (code + deviation[:-MOTION], code)]
        fine = model.prolong_offset(at[0] - at[1], from_level=SHAPE_LEVEL, to_level=FINEST_LEVEL)
        fine = fine + motion_jacobian(self._projection.vertices) @ deviation[-MOTION:]
        return self.mobility[:, None] * fine
