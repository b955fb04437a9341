"""What a scan shows of the face that was found in it, and whether that is enough to believe it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.completion.alignment import face_mask
from facecom.completion.stages import observed_share, to_face_frame
from facecom.completion.types import AcceptanceThresholds, CompletionSettings, Scan
from facecom.errors import FitError
from facecom.fitting.fit import Fit
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Mesh, face_areas
from facecom.model.template import Template
from facecom.projection.project import Projection


@dataclass(frozen=True)
class Coverage:
    """How much of the face proper was seen, how large that is, and how much of the scan it is.

    coverage : share of the face proper that was measured, by area on the mean face
    shrinkage : how many times smaller the measured part is than on the mean face, by area: about one for a face, more
        where a face was drawn together to lie on another thing
    scan_share : share of the scan that lies on the face proper; None where so much was seen that it is not asked for
    """

    coverage: float
    shrinkage: float
    scan_share: float | None


def measure_coverage(
    scan: Scan, template: Template, fitted: Fit, projected: Projection, settings: CompletionSettings
) -> Coverage:
    """What the scan shows of the projected face."""
    proper = face_mask(template, level=3, radius_mm=settings.inner_radius_mm)
    measured = projected.observed & proper
    both = template.vertices, projected.vertices
    mean, own = (vertex_areas(vertices, template.faces[3])[measured].sum() for vertices in both)
    coverage, share = observed_share(template, projected, settings), None
    if coverage < settings.verdict.plainly_seen:
        share = _share_on(
            to_face_frame(scan.for_fit.mesh, fitted), template, projected, proper, on_mm=settings.verdict.on_mm
        )
    return Coverage(coverage=coverage, shrinkage=float(mean / max(own, 1e-9)), scan_share=share)


def _share_on(scan: Mesh, template: Template, projected: Projection, chosen: Bools, *, on_mm: float) -> float:
    """Share of a scan's area that lies on the chosen part of the face; on its coarser level, which is near enough."""
    faces, count = template.faces[2], template.counts[2]
    found = Surface(Mesh(projected.vertices[:count], faces)).closest(scan.vertices[scan.faces].mean(axis=1))
    on_face = (found.distance < on_mm) & np.all(chosen[faces], axis=1)[found.faces]
    area = face_areas(scan)
    return float(area @ on_face / area.sum())


def check_coverage(coverage: Coverage, verdict: AcceptanceThresholds) -> None:
    """Refuse a face of which too little was seen, or which is drawn together there.

    Raises
    ------
    FitError
        With the figures.
    """
    piece = coverage.scan_share is not None and coverage.scan_share >= verdict.piece_share
    needed = verdict.least_piece if piece else verdict.least_seen
    if coverage.coverage < needed:
        raise FitError(f"only {coverage.coverage:.0%} of the face is seen in the scan, at least {needed:.0%} is needed")
    if coverage.coverage < verdict.plainly_seen and coverage.shrinkage > verdict.most_shrinkage:
        raise FitError(
            f"the scan does not look like a face: what is seen of one is {coverage.shrinkage:.1f} times smaller than a "
            f"face's (at most {verdict.most_shrinkage:g})"
        )


def coverage_warnings(coverage: Coverage, verdict: AcceptanceThresholds) -> tuple[str, ...]:
    """What to say of a face of which only a piece was seen."""
    if coverage.coverage >= verdict.least_seen:
        return ()
    return (f"only {coverage.coverage:.0%} of the face was seen: where the rest lies is as unsure as its shape",)
