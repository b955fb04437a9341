"""How much of the face a scan shows, whether that is enough to believe it, and what of it is neither there nor open."""

from __future__ import annotations

import numpy as np

from facecom.completion.alignment import face_mask
from facecom.completion.holes import SKIN
from facecom.completion.state import CompletionState, known
from facecom.completion.types import AcceptanceThresholds, Coverage
from facecom.errors import FitError
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Ints, Mesh, face_areas, face_components, vertex_normals
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL, Template
from facecom.projection.project import Projection

FILLED_WITHIN_MM = 3.0
"""What lies so near to a filling was filled."""
OFF_MM, OVER_MM = 2.0, 60.0
"""A scan runs past a part of the face so far from it at least, and so far before or behind it at most."""
LEAST_COVERED_MM2 = 150.0
"""Smaller parts that a scan runs past are the folds of lids and lips."""


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


def check_acceptance(coverage: Coverage, acceptance: AcceptanceThresholds, *, fitted_prior: float) -> None:
    """Refuse a face of which too little was observed, or which is drawn together there.

    Parameters
    ----------
    fitted_prior : squared code for each entry, after the fit

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
    plain = coverage.coverage >= acceptance.plainly_observed and fitted_prior <= acceptance.most_usual_prior
    if not plain and coverage.shrinkage > acceptance.most_shrinkage:
        raise FitError(
            f"the scan does not look like a face: what is seen of one is {coverage.shrinkage:.1f} times smaller than a "
            f"face's (at most {acceptance.most_shrinkage:g})"
        )


def coverage_warnings(coverage: Coverage, acceptance: AcceptanceThresholds) -> tuple[str, ...]:
    """What to say of a face of which only a piece was observed."""
    if coverage.coverage >= acceptance.least_observed:
        return ()
    return (f"only {coverage.coverage:.0%} of the face was observed: where the rest lies is as unsure as its shape",)


def covered_gap_warnings(state: CompletionState) -> tuple[str, ...]:
    """What to say of parts of the face that the scan does not show, and that are no holes: its surface runs past them.

    A defect that is lined with skin, a dressing, hair. The mouth and the nostrils are hollows in any face.
    """
    template, projected = state.template, known(state.projection, "project")
    gap = _covered_gap(state)
    if not len(gap):
        return ()
    face = Mesh(projected.vertices, template.faces[FINEST_LEVEL][gap])
    area = face_areas(face)
    regions = np.bincount(template.region[face.faces].ravel(), np.repeat(area, 3) / 3, len(template.region_names))
    apart = Surface(known(state.in_face, "enter face frame").fine).closest(face.vertices[face.faces].mean(axis=1))
    name = template.region_names[int(np.argmax(regions))]
    return (
        f"{area.sum():.0f} mm² of the face, most of it {name}, are not on the scan, whose surface runs up to "
        f"{apart.distance.max():.0f} mm away there without a hole: nothing was filled in; if that part is missing, "
        + ("mark it with --missing" if name == SKIN else f"name it with --missing {name}"),
    )


def _covered_gap(state: CompletionState) -> Ints:
    """The largest connected part of the face that the scan runs past, as faces of the finest level; (0,) if small."""
    template, projected, level = state.template, known(state.projection, "project"), FINEST_LEVEL
    scan, merged = known(state.in_face, "enter face frame").fine, known(state.stitched, "stitch").merged
    in_face = face_mask(template, level=level, radius_mm=state.settings.inner_radius_mm)
    hollow = template.region_mask("nostrils", level) | template.region_mask("mouth", level)
    rows = np.flatnonzero(in_face & ~hollow & ~projected.observed)
    added = np.arange(len(merged.faces)) >= len(scan.faces)
    if added.any() and len(rows):
        filled = Surface(merged.submesh(added)[0]).closest(projected.vertices[rows]).distance < FILLED_WITHIN_MM
        rows = rows[~filled]
    if not len(rows):
        return rows
    points, surface = projected.vertices[rows], Surface(scan)
    normals = vertex_normals(projected.vertices, template.faces[level])[rows]
    over = np.minimum(surface.cast(points, normals).depth, surface.cast(points, -normals).depth) < OVER_MM
    chosen = np.zeros(len(projected.vertices), bool)
    chosen[rows[over & (surface.closest(points).distance > OFF_MM)]] = True
    faces = np.flatnonzero(chosen[template.faces[level]].all(axis=1))
    if not len(faces):
        return faces
    label = face_components(template.faces[level][faces])
    area = np.bincount(label, face_areas(Mesh(projected.vertices, template.faces[level][faces])))
    return faces[label == np.argmax(area)] if area.max() >= LEAST_COVERED_MM2 else faces[:0]
