"""The variants of the ablation: which stages can be left out, and the fit and projection without one."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from facecom.completion import COMPLETION, Completion, CompletionState, FitContext, GuidanceRecord, Scan
from facecom.completion.alignment import face_mask
from facecom.completion.guidance import apply_guidance
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.mesh import Floats, unique_edges, vertex_normals
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FINEST_LEVEL
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
    record = result.context.guidance
    guided = record is not None and record.found.observations is not None
    return (*ABLATION_VARIANTS, GUIDANCE) if guided else ABLATION_VARIANTS


class AblationRunner:
    """Repeats fit and projection; variants with the same fit share it."""

    def __init__(self, data: DisplayData) -> None:
        self.data = data
        self._fits: list[tuple[CompletionState, FitContext]] = []
        self._guidance: list[tuple[Scan, GuidanceRecord | None]] = []

    def run(self, scan: Scan, variant: str) -> tuple[Floats, float]:
        """Vertices (V, 3) without a stage, in the completion's face frame, and the step at the rim, mm."""
        context = self.data.result.context
        guidance = None if variant == GUIDANCE.name else self._guidance_of(scan)
        start = replace(state_before_fit(context), scan=scan, guidance=guidance, **_changes(context, variant))
        refitted = self._refit(start) if start.model is context.model else refit(start)
        vertices, decoded = refitted.projection.vertices, refitted.model.decode(refitted.fit.code)
        if variant == PROJECTION:
            vertices = decoded
        if variant == EXTRAPOLATION:
            vertices = np.where(refitted.projection.observed[:, None], vertices, decoded)
        rim_step = _rim_step(refitted, refitted.projection, decoded, vertices)
        return context.fit.pose.apply(refitted.fit.pose.inverse().apply(vertices)), rim_step

    def _refit(self, start: CompletionState) -> FitContext:
        for other, refitted in self._fits:
            if other.scan is start.scan and other.guidance is start.guidance:
                return refitted
        self._fits.append((start, refit(start)))
        return self._fits[-1][1]

    def _guidance_of(self, scan: Scan) -> GuidanceRecord | None:
        """The guidance of the completion, or new guidance for a scan with a held-out region."""
        context = self.data.result.context
        if scan is context.scan or context.guidance is None:
            return context.guidance
        for other, guidance in self._guidance:
            if other is scan:
                return guidance
        start = replace(state_before_fit(context), scan=scan, guidance_source=context.guidance.source)
        self._guidance.append((scan, REFIT.up_to("guide").run(start).guidance))
        return self._guidance[-1][1]


REFIT = COMPLETION.starting_at("fit").up_to("project")
"""The stages that are repeated: the fit from the completion's pose, the guidance, and the projection."""


def state_before_fit(context: FitContext) -> CompletionState:
    """The state of a completion before its fit, at its pose; the scan was accepted as a face with all stages."""
    model, settings = context.model, context.settings
    start = PoseHypothesis(context.fit.pose, np.zeros(model.code_size), score=1.0, rms_mm=0.0, prior=0.0)
    acceptance = replace(settings.acceptance, most_fitted_prior=np.inf, most_usual_prior=np.inf)
    return CompletionState(
        model=model,
        scan=context.scan,
        hypothesis=start,
        settings=replace(settings, more_starts=0, acceptance=acceptance),
        seed=context.state.seed,
        guidance=context.guidance,
    )


def refit(start: CompletionState) -> FitContext:
    """Fit and projection of a state, with the guidance that it already has."""

    def reuse_guidance(state: CompletionState) -> CompletionState:
        if state.guidance is None or state.model is None or state.fit is None:
            return state
        return replace(state, fit=apply_guidance(state.fit, state.model, state.guidance.found))

    return FitContext(REFIT.replace_stage("guide", reuse_guidance).run(start))


def _changes(context: FitContext, variant: str) -> dict[str, Any]:
    """What changes in the state before the fit when a stage is left out of it."""
    model = context.model
    if not isinstance(model, LinearGenerator):
        raise ValueError(f"stages are left out of linear models alone, not of a {type(model).__name__}")
    if variant == SYMMETRY:
        settings = state_before_fit(context).settings
        settings = replace(settings, fit=doubled_mode_counts(settings.fit))
        return {"model": independent_sides(model), "settings": settings}
    changes = {SHAPE_MODES: size_modes_only, DISCREPANCY: without_discrepancy, ASYMMETRY: symmetric_modes_only}
    return {"model": changes[variant](model)} if variant in changes else {}


def _rim_step(context: FitContext, projected: Projection, fitted: Floats, vertices: Floats) -> float:
    """Mean step across the rim: offset from the fitted face on the observed side, less that on the made-up side, mm."""
    faces, settings = context.template.faces[FINEST_LEVEL], context.settings
    normals = vertex_normals(fitted, faces)
    on_scan, made_up = (np.einsum("vd,vd->v", v - fitted, normals) for v in (projected.vertices, vertices))
    mask = face_mask(context.template, level=FINEST_LEVEL, radius_mm=settings.face_radius_mm)
    edges, _, _ = unique_edges(faces)
    observed = projected.observed[edges]
    across = mask[edges].all(axis=1) & (observed[:, 0] != observed[:, 1])
    if not across.any():
        return 0.0
    pairs = np.where(observed[across, :1], edges[across], edges[across][:, ::-1])
    return float(np.abs(on_scan[pairs[:, 0]] - made_up[pairs[:, 1]]).mean())
