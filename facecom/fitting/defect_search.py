"""Parts of a scan that no face of the population would show where the rest of that scan says the face is.

A defect is what the rest of the face contradicts. A fit that believes all of a scan bends towards a wound and so hides
it. Here discs of the face are left out in turn; what a disc then shows is held against what the rest predicts of it,
with the covariance of that prediction. From the discs that are contradicted most, labels and face are found together:
the face from what is believed, the labels by a minimum cut from the residuals to it, until neither changes. Of several
outcomes the one of least energy is kept (hard expectation-maximisation of a Markov random field).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy import linalg
from scipy.sparse import csgraph

from facecom.fitting.defect_settings import DefectSearchSettings
from facecom.fitting.normal_equations import MOTION_SIZE, cholesky_lower, solve_step, weighted_square
from facecom.fitting.posterior import motion_jacobian
from facecom.fitting.terms import geman_mcclure
from facecom.fitting.types import FIT_LEVEL, ShapeModel
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Floats, Ints, unique_edges, vertex_normals
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
class _Observation:
    """The scan as the vertices of a face see it.

    rows : (V, M + 6) derivative of the plane residual; along : (V, M + 6) of the vertex along its own normal;
    residual : (V,) mm, to the plane of the closest point; distance : (V,) mm, to that point, or to its plane where that
    faces alike; matched, compared, shown : (V,) bool, whether the surface there may move the face, is held against what
    the rest predicts, and is there at all
    """

    rows: Floats
    along: Floats
    residual: Floats
    distance: Floats
    matched: Bools
    compared: Bools
    shown: Bools


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

    def observe(self, code: Floats, pose: Similarity) -> _Observation:
        """What the scan shows at the vertices of a face."""
        settings, vertices = self.settings, self.model.decode(code, level=FIT_LEVEL)
        normals = vertex_normals(vertices, self.model.faces(FIT_LEVEL))
        found = self.scan.match(
            vertices, normals, pose=pose, reach_mm=settings.reach_mm, normal_limit_rad=np.pi, prefilter=True
        )
        jacobian = self.model.jacobian(code, level=FIT_LEVEL).reshape(len(vertices), 3, -1)
        motion = motion_jacobian(vertices)

        def rows_along(directions: Floats) -> Floats:
            parts = [np.einsum("vd,vdm->vm", directions, part) for part in (jacobian, motion)]
            return np.concatenate(parts, axis=1)

        residual = np.einsum("vd,vd->v", found.points - vertices, found.normals)
        cosine = np.einsum("vd,vd->v", found.normals, normals)
        facing = cosine > np.cos(settings.normal_limit_rad)
        return _Observation(
            rows=rows_along(found.normals),
            along=rows_along(normals),
            residual=np.where(found.valid, residual, 0.0),
            # a surface that looks elsewhere is another one, however near its plane passes
            distance=np.where(facing, np.abs(residual), found.distance),
            matched=found.valid & facing & (np.abs(residual) < settings.matched_mm),
            compared=found.valid
            & (cosine > np.cos(settings.compared_limit_rad))
            & (np.abs(residual) < settings.compared_mm),
            shown=found.valid,
        )

    def _evidence(self, seen: _Observation, residual: Floats, believed: Bools) -> Floats:
        """Inverse variance of each residual, (V,)."""
        inlier = geman_mcclure(residual, scale_mm=self.settings.robust_mm)
        return np.where(believed, self.weights * inlier, 0.0) / self.settings.noise_mm**2

    def contradicted_discs(self, code: Floats, pose: Similarity) -> list[Bools]:
        """Of each size of disc the one that the rest contradicts most, where that is plain; (V,) each."""
        seen = self.observe(code, pose)
        modes = min(self.settings.disc_modes, len(code))
        columns = np.r_[np.arange(modes), np.arange(len(code), len(code) + MOTION_SIZE)]
        rows = seen.rows[:, columns]
        compared = seen.compared & self.scope
        evidence = self._evidence(seen, seen.residual, seen.compared)
        whole = weighted_square(rows, evidence)
        pull = rows.T @ (evidence * seen.residual)
        prior = np.r_[np.full(modes, self.settings.prior_precision), np.zeros(MOTION_SIZE)]
        whole[np.diag_indices(len(columns))] += prior
        pull -= prior * np.r_[code[:modes], np.zeros(MOTION_SIZE)]
        vertices = self.model.decode(np.zeros_like(code), level=FIT_LEVEL)
        unusual = np.mean(code[: self.settings.unusual_modes] ** 2) > self.settings.usual_shape
        out = []
        for radius, spacing, least in self.settings.discs:
            ratios = [
                (self._ratio(rows, seen.residual, evidence, disc=disc, compared=compared, whole=whole, pull=pull), disc)
                for disc in _discs(vertices, self.scope, radius=radius, spacing=spacing)
            ]
            doubtful = unusual and radius == self.settings.unusual_disc_mm
            out += [disc for ratio, disc in sorted(ratios, key=lambda one: -one[0])[:1] if doubtful or ratio > least]
        return out

    def _ratio(
        self,
        rows: Floats,
        residual: Floats,
        evidence: Floats,
        *,
        disc: Bools,
        compared: Bools,
        whole: Floats,
        pull: Floats,
    ) -> float:
        """Squared residuals of a disc to what the rest predicts of it, by their covariance, for each residual."""
        inside, told = np.flatnonzero(disc), np.flatnonzero(disc & compared)
        if len(told) < MOTION_SIZE:
            return 0.0
        own = rows[inside]
        rest = whole - (own * evidence[inside, None]).T @ own
        root = cholesky_lower(rest)
        step = linalg.cho_solve((root, True), pull - own.T @ (evidence[inside] * residual[inside]))
        half = linalg.solve_triangular(root, rows[told].T, lower=True)
        spread = half.T @ half + self.settings.noise_mm**2 * np.eye(len(told))
        left = residual[told] - rows[told] @ step
        return float(left @ linalg.cho_solve((cholesky_lower(spread), True), left)) / len(told)

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
        self, seen: _Observation, code: Floats, pose: Similarity, believed: Bools
    ) -> tuple[Floats, Similarity, Floats]:
        """A robust Gauss-Newton step from what is believed, and the root of its precision."""
        step, entries = np.zeros(seen.rows.shape[1]), np.arange(len(code))
        for _ in range(2):
            evidence = self._evidence(seen, seen.residual - seen.rows @ step, seen.matched & believed)
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

    def _energy(self, code: Floats, seen: _Observation, defect: Bools, open_to: Bools) -> float:
        settings = self.settings
        ratio = np.minimum(seen.distance / settings.noise_mm, settings.most_gain)[open_to & ~defect]
        parted = np.count_nonzero(defect[self.edges[:, 0]] != defect[self.edges[:, 1]])
        costs = settings.compared_cost * np.count_nonzero(defect & open_to) + settings.cut_cost * parted
        return float(0.5 * settings.prior_precision * code @ code + 0.5 * ratio @ ratio + costs)


def _discs(vertices: Floats, scope: Bools, *, radius: float, spacing: float) -> Iterator[Bools]:
    """Balls about points of the face that lie at least the spacing apart, as masks (V,) of its vertices."""
    left = np.flatnonzero(scope)
    while len(left):
        distance = np.linalg.norm(vertices - vertices[left[0]], axis=1)
        yield distance < radius
        left = left[distance[left] > spacing]


def _sure_components(mask: Bools, gain: Floats, edges: Ints, settings: DefectSearchSettings) -> Bools:
    """The mask without connected parts that are too small or tell too little."""
    inside = edges[mask[edges].all(axis=1)]
    graph = sp.coo_matrix((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(len(mask),) * 2)
    label = csgraph.connected_components(graph, directed=False)[1]
    sizes, gains = (np.bincount(label, weights, len(mask)) for weights in (mask, np.where(mask, gain, 0.0)))
    return mask & ((sizes >= settings.least_vertices) & (gains >= settings.least_gain))[label]
