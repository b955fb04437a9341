"""How much of the face a scan shows, and whether that is enough to believe it."""

from __future__ import annotations

import numpy as np

from facecom.completion.alignment import face_mask
from facecom.completion.state import CompletionState, known
from facecom.completion.types import AcceptanceThresholds, Coverage
from facecom.errors import FitError
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Mesh, face_areas
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL, Template
from facecom.projection.project import Projection


def coverage_of(state: CompletionState) -> Coverage:
    """What the scan shows of the projected face."""
    template, projected, settings = state.template, known(state.projection, "project"), state.settings
    mask = face_mask(template, level=FINEST_LEVEL, radius_mm=settings.inner_radius_mm)
    observed = projected.observed & mask
    mean, own = (
        vertex_areas(vertices, template.faces[FINEST_LEVEL]) for vertices in (template.vertices, projected.vertices)
    )
    coverage, share = float(mean[observed].sum() / mean[mask].sum()), None
    if coverage < settings.acceptance.plainly_observed:
        scan = known(state.in_face, "enter face frame").coarse
        share = _share_on(scan, template, projected, mask, on_mm=settings.acceptance.on_mm)
    shrinkage = float(mean[observed].sum() / max(own[observed].sum(), 1e-9))
    return Coverage(coverage=coverage, shrinkage=shrinkage, scan_share=share)


def _share_on(scan: Mesh, template: Template, projected: Projection, chosen: Bools, *, on_mm: float) -> float:
    """Share of a scan's area that lies on the chosen part of the face; on its coarser level, which is near enough."""
    faces, count = template.faces[SHAPE_LEVEL], template.counts[SHAPE_LEVEL]
    found = Surface(Mesh(projected.vertices[:count], faces)).closest(scan.vertices[scan.faces].mean(axis=1))
    on_face = (found.distance < on_mm) & np.all(chosen[faces], axis=1)[found.faces]
    area = face_areas(scan)
    return float(area @ on_face / area.sum())


def check_acceptance(coverage: Coverage, acceptance: AcceptanceThresholds) -> None:
    """Refuse a face of which too little was observed, or which is drawn together there.

    Raises
    ------
    FitError
        With the figures.
    """
    piece = coverage.scan_share is not None and coverage.scan_share >= acceptance.piece_share
    needed = acceptance.least_piece if piece else acceptance.least_observed
    if coverage.coverage < needed:
        raise FitError(
            f"only {coverage.coverage:.0%} of the face is observed in the scan, at least {needed:.0%} is needed"
        )
    if coverage.coverage < acceptance.plainly_observed and coverage.shrinkage > acceptance.most_shrinkage:
        raise FitError(
            f"the scan does not look like a face: what is seen of one is {coverage.shrinkage:.1f} times smaller than a "
            f"face's (at most {acceptance.most_shrinkage:g})"
        )


def coverage_warnings(coverage: Coverage, acceptance: AcceptanceThresholds) -> tuple[str, ...]:
    """What to say of a face of which only a piece was observed."""
    if coverage.coverage >= acceptance.least_observed:
        return ()
    return (f"only {coverage.coverage:.0%} of the face was observed: where the rest lies is as unsure as its shape",)
