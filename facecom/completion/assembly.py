"""The result put together in the scan's own frame and unit, and its report."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from facecom.completion.face_size import face_size
from facecom.completion.provenance import face_provenance, merged_provenance
from facecom.completion.state import CompletionState, FaceFrameScan, known
from facecom.completion.types import Report
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Floats, Ints, Mesh, face_areas
from facecom.geometry.transform import Similarity
from facecom.io.versions import package_versions
from facecom.model.template import FINEST_LEVEL, FIT_LEVEL, Template
from facecom.projection.project import Projection
from facecom.provenance import Provenance
from facecom.skin.detail import Detail

NEAR_FACE_MM = 5.0
"""What of the scan lies farther from the completed face is hair, collar or clutter, and no residual of the face."""
MOST_REPORTED = 40_000
"""So many vertices of the scan tell the mean distance well enough."""
LEAST_REPORTED_MM2 = 0.5
"""Smaller areas are rounding."""
PACKAGES = ("facecom", "numpy", "scipy", "open3d", "torch")


@dataclass(frozen=True, eq=False)
class Assembled:
    """The meshes of a completion in the scan's own frame and unit; fields as those of `Completion`."""

    face: Mesh
    merged: Mesh
    patch: Mesh
    provenance: Ints
    sigma_mm: Floats
    merged_provenance: Ints
    merged_sigma_mm: Floats
    pose: Similarity
    detail: Detail | None


def assemble(state: CompletionState) -> Assembled:
    """The meshes of a completion, from what its stages found."""
    scan, stitched, sigma = (
        known(state.scan, "clean"),
        known(state.stitched, "stitch"),
        known(state.sigma_mm, "uncertainty"),
    )
    to_scan = state.face_to_scan
    pose = to_scan.inverse()
    order = slice(None, None, -1) if scan.inside_out else slice(None)
    whole = stitched.face
    face = Mesh(
        round_to_float32(to_scan.apply(whole.vertices)), whole.faces[:, order], uv=whole.uv, colors=whole.colors
    )
    count = len(scan.mesh.vertices)
    added_vertices = round_to_float32(to_scan.apply(stitched.merged.vertices[count:]))
    vertices = np.concatenate([scan.mesh.vertices, added_vertices])
    merged = Mesh(vertices, stitched.merged.faces[:, order], colors=stitched.merged.colors)
    added = np.arange(len(merged.faces)) >= len(scan.mesh.faces)
    observed_sigma = np.full(count, state.settings.posterior.observed_mm)
    provenance = face_provenance(state)
    return Assembled(
        face=face,
        merged=merged,
        patch=merged.submesh(added)[0] if added.any() else Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)),
        provenance=provenance,
        sigma_mm=sigma,
        merged_provenance=merged_provenance(stitched, provenance),
        merged_sigma_mm=np.concatenate([observed_sigma, stitched.weights @ sigma]),
        pose=pose,
        detail=None
        if state.detail is None
        else detail_in_scan(state.detail, pose.inverse(), inside_out=scan.inside_out),
    )


def detail_in_scan(detail: Detail, to_scan: Similarity, inside_out: bool) -> Detail:
    """Skin relief of the face frame in the scan's own frame and unit; its displacements stay in mm."""
    order = slice(None, None, -1) if inside_out else slice(None)

    def placed(mesh: Mesh) -> Mesh:
        return Mesh(to_scan.apply(mesh.vertices), mesh.faces[:, order], uv=mesh.uv, colors=mesh.colors)

    return replace(
        detail, mesh=placed(detail.mesh), smooth=placed(detail.smooth), normals=to_scan.rotate(detail.normals)
    )


def make_report(state: CompletionState) -> Report:
    """The figures of a job; the seconds are those of the stages so far."""
    scan, fitted, projected = known(state.scan, "clean"), known(state.fit, "fit"), known(state.projection, "project")
    template, sigma, stitched = state.template, known(state.sigma_mm, "uncertainty"), known(state.stitched, "stitch")
    area = vertex_areas(projected.vertices, template.faces[FINEST_LEVEL])
    observed, made_up = float(area @ projected.observed / area.sum()), ~projected.observed
    return Report(
        unit=scan.unit,
        mm_per_unit=scan.mm_per_unit,
        pose=tuple(tuple(row) for row in state.face_to_scan.inverse().matrix().tolist()),
        score=known(state.hypothesis, "align").score,
        coverage=known(state.coverage, "measure coverage").coverage,
        fit_rms_mm=fitted.terms["plane_rms_mm"],
        scan_to_face_mm=scan_to_face(known(state.in_face, "enter face frame"), template, projected),
        observed_share=observed,
        made_up_share=1.0 - observed,
        sigma_made_up_mm=float(sigma[made_up].mean()) if made_up.any() else 0.0,
        holes_filled=stitched.n_loops_filled,
        removed={k: v for k, v in vars(scan.removed).items() if v and not k.endswith(("before", "after"))},
        seconds=dict(state.seconds),
        seed=state.seed,
        versions=package_versions(*PACKAGES),
        model=dict(known(state.model, "load model").description),
        warnings=stitched.warnings + state.warnings,
        detail=_detail_report(state.detail),
        guidance_mm=_guidance_change(state),
        defect_mm2=_defect_report(state),
        doubtful_places=() if state.defect_probability is None else tuple(map(asdict, state.defect_probability.places)),
        parsed_share=None if state.guidance is None else dict(state.guidance.found.observed_share),
        mm_per_unit_sigma=scan.mm_per_unit_sigma,
        face_size=face_size(projected.vertices, template),
    )


def _defect_report(state: CompletionState) -> dict[str, float]:
    """Areas of what was not believed, mm2; none where all of the scan was."""
    scan = known(state.scan, "clean")
    left_out = float(face_areas(scan.defect).sum()) * scan.mm_per_unit**2
    areas = {
        "marked": left_out - state.found_mm2,
        "found": state.found_mm2,
        "doubted": float(face_areas(scan.mm.mesh) @ scan.doubted),
    }
    return {name: area for name, area in areas.items() if area > LEAST_REPORTED_MM2}


def _guidance_change(state: CompletionState) -> dict[str, float] | None:
    """How far images moved the fitted face, mean in mm by region; None where none were used."""
    model, fitted = known(state.model, "load model"), known(state.fit, "fit")
    unguided = fitted if state.guidance is None else state.guidance.before
    if fitted is unguided:
        return None
    at = [f.pose.inverse().apply(model.decode(f.code, level=FIT_LEVEL)) for f in (fitted, unguided)]
    length = np.linalg.norm(at[0] - at[1], axis=1)
    region = model.template.region[: len(length)]
    return {name: float(length[region == k].mean()) for k, name in enumerate(model.template.region_names)}


def _detail_report(detail: Detail | None) -> dict[str, Any] | None:
    if detail is None:
        return None
    share = np.bincount(detail.provenance, minlength=len(Provenance)) / len(detail.provenance)
    return {
        "vertices": len(detail.mesh.vertices),
        "generic": detail.synthetic,
        "provenance": {kind.label: float(share[kind]) for kind in Provenance},
        "bands": {name: np.asarray(value).tolist() for name, value in vars(detail.bands).items()},
    }


def scan_to_face(scan: FaceFrameScan, template: Template, projected: Projection) -> dict[str, float]:
    """Mean distance in mm of the scan's vertices near the face to the completed face, by region."""
    points = scan.fine.vertices[:: max(1, len(scan.fine.vertices) // MOST_REPORTED)]
    faces = template.faces[FINEST_LEVEL]
    found = Surface(Mesh(projected.vertices, faces)).closest(points)
    nearest = faces[found.faces, np.argmax(found.barycentric, axis=1)]
    near = (found.distance < NEAR_FACE_MM) & projected.observed[nearest]
    names = {"all": near} | {
        name: near & (template.region[nearest] == k) for k, name in enumerate(template.region_names)
    }
    return {name: float(found.distance[mask].mean()) for name, mask in names.items() if mask.any()}


def round_to_float32(vertices: Floats) -> Floats:
    """Rounded to what float32 holds, so that files need no more."""
    return vertices.astype(np.float32).astype(float)
