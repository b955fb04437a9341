"""Parts of a scan that no face of the population would show where the rest of that scan says the face is.

A defect is what the rest of the face contradicts. A fit that believes all of a scan bends towards a wound and so hides
it. Here discs of the face are left out in turn; what a disc then shows is held against what the rest predicts of it,
with the covariance of that prediction. From the discs that are contradicted most, labels and face are found together:
the face from what is believed, the labels by a minimum cut from the residuals to it, until neither changes. Of several
outcomes the one of least energy is kept (hard expectation-maximisation of a Markov random field).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy import linalg
from scipy.sparse import csgraph

from facecom.fitting.defect_settings import DefectSearchSettings
from facecom.fitting.left_out import LeftOutDiscs, discs_about
from facecom.fitting.normal_equations import MOTION_SIZE, cholesky_lower, solve_step, weighted_square
from facecom.fitting.scan_observation import Observation, observe, residual_evidence
from facecom.fitting.types import FIT_LEVEL, ShapeModel
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Floats, Ints, unique_edges
from facecom.geometry.minimum_cut import cheapest_labels
from facecom.geometry.transform import Similarity, rotation_from_vector

FLOW_UNITS = 1000.0
"""Integer units of flow for a unit of energy: the solver counts in integers."""


@dataclass(frozen=True, eq=False)
class Contradiction:
    """What the rest of a scan contradicts.

    vertices : (V,) bool, vertices of the fit's level where the scan shows a defect
    sigma_mm : (V,) float, how sure the face is there without it
    code, pose : the face without it, and scan frame (mm) -> face frame
    """

    vertices: Bools
    sigma_mm: Floats
    code: Floats
    pose: Similarity


@dataclass(frozen=True, eq=False)
class _Labelling:
    vertices: Bools
    shown: Bools
    gain: Floats
    sigma_mm: Floats
    code: Floats
    pose: Similarity
    energy: float


def find_contradiction(
    scan: OrientedSurface,
    model: ShapeModel,
    code: Floats,
    *,
    pose: Similarity,
    weights: Floats,
    scope: Bools,
    settings: DefectSearchSettings | None = None,
) -> Contradiction | None:
    """Where a scan shows a defect and not the face; None where nothing is contradicted.

    Parameters
    ----------
    scan : OrientedSurface, mm
    code, pose : of a fit to all of the scan; scan frame -> face frame
    weights : (V,) how far each vertex of the fit's level is trusted to be face
    scope : (V,) bool, vertices that may lie in a defect

    Raises
    ------
    ValueError
        Never for a scan: its solves are safe for any.
    """
    settings = settings or DefectSearchSettings()
    search = _Search(scan, model, weights, scope, settings)
    discs = search.contradicted_discs(code, pose)
    if not discs:
        return None
    nothing = np.zeros(len(scope), bool)
    found = min((search.labelling(code, pose, start) for start in (nothing, *discs)), key=lambda one: one.energy)
    large = _sure_components(found.vertices, found.gain, search.edges, settings)
    if not large.any() or large.sum() > settings.most_share * found.shown.sum():
        return None
    return Contradiction(large, found.sigma_mm, found.code, found.pose)


class _Search:
    """What all steps of a search share."""

    def __init__(
        self, scan: OrientedSurface, model: ShapeModel, weights: Floats, scope: Bools, settings: DefectSearchSettings
    ) -> None:
        self.scan, self.model, self.weights, self.scope, self.settings = scan, model, weights, scope, settings
        self.edges = unique_edges(model.faces(FIT_LEVEL))[0]

    def observe(self, code: Floats, pose: Similarity) -> Observation:
        """What the scan shows at the vertices of a face."""
        return observe(self.scan, self.model, code, pose=pose, settings=self.settings)

    def contradicted_discs(self, code: Floats, pose: Similarity) -> list[Bools]:
        """Of each size of disc the one that the rest contradicts most, where that is plain; (V,) each."""
        seen, settings = self.observe(code, pose), self.settings
        evidence = residual_evidence(seen.residual, self.weights, believed=seen.compared, settings=settings)
        predicted = LeftOutDiscs(seen, code, evidence=evidence, compared=seen.compared & self.scope, settings=settings)
        vertices = self.model.decode(np.zeros_like(code), level=FIT_LEVEL)
        unusual = np.mean(code[: settings.unusual_modes] ** 2) > settings.usual_shape
        out = []
        for radius, spacing, least in settings.discs:
            discs = discs_about(vertices, self.scope, radius=radius, spacing=spacing)
            ratios = [(predicted.ratio(disc), disc) for disc in discs]
            doubtful = unusual and radius == settings.unusual_disc_mm
            out += [disc for ratio, disc in sorted(ratios, key=lambda one: -one[0])[:1] if doubtful or ratio > least]
        return out

    def labelling(self, code: Floats, pose: Similarity, defect: Bools) -> _Labelling:
        """Labels and face, found in turns from labels to begin with."""
        settings, seen = self.settings, self.observe(code, pose)
        for turn in range(settings.iterations):
            for _ in range(2 if turn < 2 else 1):
                code, pose, root = self._moved(seen, code, pose, ~defect)
                seen = self.observe(code, pose)
            half = linalg.solve_triangular(root, seen.along.T, lower=True)
            sigma = np.sqrt(np.sum(half**2, axis=0) + settings.noise_mm**2)
            open_to = self.scope & seen.shown
            gain = self._gain(seen.distance / sigma)
            labels = self._cut(gain, open_to)
            settled = np.count_nonzero(labels != defect) <= settings.settled_vertices
            defect = labels
            if settled:
                break
        return _Labelling(defect, open_to, gain, sigma, code, pose, self._energy(code, seen, defect, open_to))

    def _moved(
        self, seen: Observation, code: Floats, pose: Similarity, believed: Bools
    ) -> tuple[Floats, Similarity, Floats]:
        """A robust Gauss-Newton step from what is believed, and the root of its precision."""
        step, entries = np.zeros(seen.rows.shape[1]), np.arange(len(code))
        for _ in range(2):
            evidence = residual_evidence(
                seen.residual - seen.rows @ step,
                self.weights,
                believed=seen.matched & believed,
                settings=self.settings,
            )
            told = evidence > 0
            precision = weighted_square(seen.rows[told], evidence[told])
            precision[entries, entries] += self.settings.prior_precision
            pull = seen.rows.T @ (evidence * seen.residual)
            pull[: len(code)] -= self.settings.prior_precision * code
            step = solve_step(precision, pull)
        motion = Similarity(rotation_from_vector(step[-MOTION_SIZE:-3]), step[-3:])
        return code + step[: len(code)], motion.inverse() @ pose, cholesky_lower(precision)

    def _gain(self, ratio: Floats) -> Floats:
        """Energy that each vertex saves in a defect, (V,), from residuals in standard deviations."""
        return np.minimum(0.5 * ratio**2 - self.settings.defect_cost, self.settings.most_gain)

    def _cut(self, gain: Floats, open_to: Bools) -> Bools:
        """Labels of least energy."""
        settings, here = self.settings, np.flatnonzero(open_to)
        number = np.full(len(gain), -1)
        number[here] = np.arange(len(here))
        pairs = number[self.edges[open_to[self.edges].all(axis=1)]]
        chosen = FLOW_UNITS * gain[here]
        out = np.zeros(len(gain), bool)
        out[here] = cheapest_labels(
            pairs,
            np.full(len(pairs), FLOW_UNITS * settings.cut_cost),
            if_false=np.maximum(chosen, 0.0),
            if_true=np.maximum(-chosen, 0.0),
        )
        return out

    def _energy(self, code: Floats, seen: Observation, defect: Bools, open_to: Bools) -> float:
        settings = self.settings
        ratio = np.minimum(seen.distance / settings.noise_mm, settings.most_gain)[open_to & ~defect]
        parted = np.count_nonzero(defect[self.edges[:, 0]] != defect[self.edges[:, 1]])
        costs = settings.compared_cost * np.count_nonzero(defect & open_to) + settings.cut_cost * parted
        return float(0.5 * settings.prior_precision * code @ code + 0.5 * ratio @ ratio + costs)


def _sure_components(mask: Bools, gain: Floats, edges: Ints, settings: DefectSearchSettings) -> Bools:
    """The mask without connected parts that are too small or tell too little."""
    inside = edges[mask[edges].all(axis=1)]
    graph = sp.coo_matrix((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(len(mask),) * 2)
    label = csgraph.connected_components(graph, directed=False)[1]
    sizes, gains = (np.bincount(label, weights, len(mask)) for weights in (mask, np.where(mask, gain, 0.0)))
    return mask & ((sizes >= settings.least_vertices) & (gains >= settings.least_gain))[label]
