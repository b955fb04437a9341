"""The variants of the ablation: which stages can be left out, and the fit and projection without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facecom.completion import (
    Completion,
    FitContext,
    GuidanceRecord,
    Scan,
    apply_guidance,
    face_mask,
    fit_face,
    project_face,
    render_guidance,
)
from facecom.fitting.fit import Fit
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.mesh import Floats, unique_edges, vertex_normals
from facecom.model.linear.generator import LinearGenerator
from facecom.projection.project import Projection
from facecom.report.display_data import DisplayData
from facecom.report.model_variants import (
    doubled_mode_counts,
    independent_sides,
    size_modes_only,
    symmetric_modes_only,
    without_discrepancy,
)

FULL, SHAPE_MODES, DISCREPANCY = "nothing", "shape modes", "discrepancy"
ASYMMETRY, SYMMETRY = "asymmetry", "symmetry"
PROJECTION, EXTRAPOLATION = "projection", "extrapolation"
FACE_LEVEL = 3
"""Level of the template at which faces are completed."""


@dataclass(frozen=True)
class AblationVariant:
    """A stage to leave out: its name, and what is done in its place."""

    name: str
    replacement: str


ABLATION_VARIANTS = (
    AblationVariant(FULL, "the full pipeline"),
    AblationVariant(SHAPE_MODES, "the mean face, scaled along three axes; the discrepancy stays"),
    AblationVariant(DISCREPANCY, "the shape modes alone"),
    AblationVariant(ASYMMETRY, "both sides are mirror images until the projection"),
    AblationVariant(SYMMETRY, "the two sides of the face are independent"),
    AblationVariant(PROJECTION, "the fitted face as it is"),
    AblationVariant(EXTRAPOLATION, "the offset to the scan ends at the rim of the hole"),
)
GUIDANCE = AblationVariant("guidance", "the fit takes no inpainted images")
"""Left out in turn where a completion was guided."""


def ablation_variants(result: Completion) -> tuple[AblationVariant, ...]:
    """What is left out in turn for a completion."""
    record = result.evidence.pictures
    guided = record is not None and record.found.observations is not None
    return (*ABLATION_VARIANTS, GUIDANCE) if guided else ABLATION_VARIANTS


class AblationRunner:
    """Repeats fit and projection; variants with the same fit share it."""

    def __init__(self, data: DisplayData) -> None:
        self.data = data
        self._fits: list[tuple[FitContext, Fit, Projection]] = []
        self._guidance: list[tuple[Scan, GuidanceRecord | None]] = []

    def run(self, scan: Scan, variant: str) -> tuple[Floats, float]:
        """Vertices (V, 3) without a stage, in the completion's face frame, and the step at the rim, mm."""
        context = self.data.result.evidence
        guidance = None if variant == GUIDANCE.name else self._guidance_of(scan)
        changed = replace(context, scan=scan, pictures=guidance, **_changes(context, variant))
        fitted, projected = self._refit(changed) if changed.model is context.model else refit(changed)
        vertices, decoded = projected.vertices, changed.model.decode(fitted.code)
        if variant == PROJECTION:
            vertices = decoded
        if variant == EXTRAPOLATION:
            vertices = np.where(projected.measured[:, None], vertices, decoded)
        rim_step = _rim_step(changed, projected, decoded, vertices)
        return context.fit.pose.apply(fitted.pose.inverse().apply(vertices)), rim_step

    def _refit(self, context: FitContext) -> tuple[Fit, Projection]:
        for other, fitted, projected in self._fits:
            if other.scan is context.scan and other.pictures is context.pictures:
                return fitted, projected
        self._fits.append((context, *refit(context)))
        return self._fits[-1][1:]

    def _guidance_of(self, scan: Scan) -> GuidanceRecord | None:
        """The guidance of the completion, or new guidance for a scan with a held-out region."""
        context = self.data.result.evidence
        if scan is context.scan or context.pictures is None:
            return context.pictures
        for other, guidance in self._guidance:
            if other is scan:
                return guidance
        before, source = _fit(replace(context, scan=scan)), context.pictures.source
        found, _ = render_guidance(scan, context.model, before, source, context.settings)
        self._guidance.append((scan, None if found is None else GuidanceRecord(source, found, before)))
        return self._guidance[-1][1]


def refit(context: FitContext) -> tuple[Fit, Projection]:
    """Fit and projection of a completion, repeated from its pose and with its guidance."""
    fitted = apply_guidance(_fit(context), context.model, context.pictures.found if context.pictures else None)
    return fitted, project_face(context.scan, context.model, fitted, context.settings)


def _fit(context: FitContext) -> Fit:
    model, settings = context.model, context.settings
    start = PoseHypothesis(context.fit.pose, np.zeros(model.code_size), score=1.0, rms_mm=0.0, prior=0.0)
    # The pose is known, and the scan was accepted as a face with all stages in place.
    accepting = replace(settings, more_starts=0, verdict=replace(settings.verdict, most_fitted_prior=np.inf))
    return fit_face(context.scan, model, start, {}, accepting)


def _changes(context: FitContext, variant: str) -> dict[str, Any]:
    """What changes in the context of the fit when a stage is left out of it."""
    model = context.model
    if not isinstance(model, LinearGenerator):
        raise ValueError(f"stages are left out of linear models alone, not of a {type(model).__name__}")
    if variant == SYMMETRY:
        settings = replace(context.settings, fit=doubled_mode_counts(context.settings.fit))
        return {"model": independent_sides(model), "settings": settings}
    changes = {SHAPE_MODES: size_modes_only, DISCREPANCY: without_discrepancy, ASYMMETRY: symmetric_modes_only}
    return {"model": changes[variant](model)} if variant in changes else {}


def _rim_step(context: FitContext, projected: Projection, fitted: Floats, vertices: Floats) -> float:
    """Mean step across the rim: offset from the fitted face on the observed side, less that on the made-up side, mm."""
    faces, settings = context.model.template.faces[FACE_LEVEL], context.settings
    normals = vertex_normals(fitted, faces)
    on_scan, made_up = (np.einsum("vd,vd->v", v - fitted, normals) for v in (projected.vertices, vertices))
    mask = face_mask(context.model.template, level=FACE_LEVEL, radius_mm=settings.face_radius_mm)
    edges, _, _ = unique_edges(faces)
    observed = projected.measured[edges]
    across = mask[edges].all(axis=1) & (observed[:, 0] != observed[:, 1])
    if not across.any():
        return 0.0
    pairs = np.where(observed[across, :1], edges[across], edges[across][:, ::-1])
    return float(np.abs(on_scan[pairs[:, 0]] - made_up[pairs[:, 1]]).mean())
