"""The result put together in the scan's own frame and unit, with its report."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from facecom.completion.provenance import face_provenance, merged_provenance
from facecom.completion.result import Completion, FitContext, round_to_float32
from facecom.completion.types import Report, Scan
from facecom.fitting.fit import Fit
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.model.template import Template
from facecom.projection.project import Projection
from facecom.provenance import Provenance
from facecom.skin.detail import Detail


def assemble_with_report(
    evidence: FitContext, start: PoseHypothesis, sigma: Floats, *, coverage: float, skin: Detail | None, unguided: Fit
) -> Completion:
    """What was found, in the scan's own frame and unit; the report still lacks the seconds."""
    report = _report(evidence, start, sigma, coverage=coverage, skin=skin)
    seen = None if evidence.pictures is None else dict(evidence.pictures.found.observed_share)
    report = replace(report, guidance_mm=_guidance_change(evidence, unguided), seen_share=seen)
    return assemble(evidence, sigma, report, skin=skin)


def assemble(evidence: FitContext, sigma: Floats, report: Report, *, skin: Detail | None = None) -> Completion:
    """The meshes of a completion in the scan's own frame and unit, from what it rests on."""
    scan, joined = evidence.scan, evidence.joined
    to_scan = evidence.to_scan(evidence.fit.pose)
    order = slice(None, None, -1) if scan.inside_out else slice(None)
    whole = joined.face
    face = Mesh(
        round_to_float32(to_scan.apply(whole.vertices)), whole.faces[:, order], uv=whole.uv, colors=whole.colors
    )
    count = len(scan.mesh.vertices)
    vertices = np.concatenate([scan.mesh.vertices, round_to_float32(to_scan.apply(joined.merged.vertices[count:]))])
    merged = Mesh(vertices, joined.merged.faces[:, order], colors=joined.merged.colors)
    fresh = np.arange(len(merged.faces)) >= len(scan.mesh.faces)
    patch, _ = merged.submesh(fresh) if fresh.any() else (Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), None)
    made_sigma = joined.weights @ sigma
    merged_sigma = np.concatenate([np.full(count, evidence.settings.posterior.measured_mm), made_sigma])
    provenance = face_provenance(evidence, skin)
    return Completion(
        face=face,
        merged=merged,
        patch=patch,
        provenance=provenance,
        sigma_mm=sigma,
        merged_provenance=merged_provenance(joined, provenance),
        merged_sigma_mm=merged_sigma,
        pose=to_scan.inverse(),
        report=report,
        evidence=evidence,
        detail=skin,
    )


def _report(
    evidence: FitContext, start: PoseHypothesis, sigma: Floats, *, coverage: float, skin: Detail | None
) -> Report:
    scan, projected, template = evidence.scan, evidence.projected, evidence.model.template
    area = vertex_areas(projected.vertices, template.faces[3])
    measured = float(area @ projected.measured / area.sum())
    made = ~projected.measured
    by_region = scan_to_face(scan, evidence.fit.pose, template, projected)
    return Report(
        unit=scan.unit,
        mm_per_unit=scan.mm_per_unit,
        pose=tuple(tuple(row) for row in evidence.fit.pose.matrix().tolist()),
        score=start.score,
        coverage=coverage,
        fit_rms_mm=evidence.fit.terms["plane_rms_mm"],
        scan_to_face_mm=by_region,
        measured_share=measured,
        made_share=1.0 - measured,
        sigma_made_mm=float(sigma[made].mean()) if made.any() else 0.0,
        holes_filled=evidence.joined.n_loops_filled,
        removed={k: v for k, v in vars(scan.removed).items() if v and not k.endswith(("before", "after"))},
        seconds={},
        seed=evidence.settings.seed,
        versions=_versions(),
        model=dict(evidence.model.description),
        warnings=evidence.joined.warnings,
        detail=_skin_report(skin),
    )


def _guidance_change(evidence: FitContext, unguided: Fit) -> dict[str, float] | None:
    """How far pictures moved the fitted face, mean in mm by region; None where none were used."""
    model, fitted, level = evidence.model, evidence.fit, 1
    if fitted is unguided:
        return None
    back, before = fitted.pose.inverse(), unguided.pose.inverse()
    moved = back.apply(model.decode(fitted.code, level=level)) - before.apply(model.decode(unguided.code, level=level))
    length = np.linalg.norm(moved, axis=1)
    region = model.template.region[: len(length)]
    return {name: float(length[region == k].mean()) for k, name in enumerate(model.template.region_names)}


def _skin_report(skin: Detail | None) -> dict[str, Any] | None:
    if skin is None:
        return None
    share = np.bincount(skin.provenance, minlength=len(Provenance)) / len(skin.provenance)
    bands = {name: np.asarray(value).tolist() for name, value in vars(skin.bands).items()}
    return {
        "vertices": len(skin.mesh.vertices),
        "generic": skin.generic,
        "provenance": {kind.label: float(share[kind]) for kind in Provenance},
        "bands": bands,
    }


def scan_to_face(scan: Scan, pose: Similarity, template: Template, projected: Projection) -> dict[str, float]:
    """Mean distance in mm of the scan's vertices near the face to the completed face, by region."""
    step = max(1, len(scan.mm.mesh.vertices) // 40_000)
    points = pose.apply(scan.mm.mesh.vertices[::step])
    found = Surface(Mesh(projected.vertices, template.faces[3])).closest(points)
    nearest = template.faces[3][found.faces, np.argmax(found.barycentric, axis=1)]
    near = (found.distance < 5.0) & projected.measured[nearest]
    names = {"all": near} | {
        name: near & (template.region[nearest] == k) for k, name in enumerate(template.region_names)
    }
    return {name: float(found.distance[mask].mean()) for name, mask in names.items() if mask.any()}


def _versions() -> dict[str, str]:
    from importlib.metadata import PackageNotFoundError, version

    out = {}
    for package in ("facecom", "numpy", "scipy", "open3d", "torch"):
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            continue
    return out
