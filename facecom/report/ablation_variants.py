"""The job repeated with one stage left out."""

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
from facecom.projection.project import Projection
from facecom.report.display_data import DisplayData
from facecom.report.model_variants import only_size, sides_apart, symmetric, twice_the_modes, without_fields

FULL = "nothing"


@dataclass(frozen=True)
class AblationVariant:
    """A stage to leave out: its name, and what is done in its place."""

    name: str
    instead: str


ABLATION_VARIANTS = (
    AblationVariant(FULL, "the whole job"),
    AblationVariant(
        "shape modes", "the mean face, only stretched in three directions; the offsets beside the code stay"
    ),
    AblationVariant("offsets beside the code", "the code's modes alone"),
    AblationVariant("asymmetry", "both sides must be mirror images until the projection"),
    AblationVariant("symmetry", "the left side of the face says nothing about the right"),
    AblationVariant("projection", "the fitted face as it is"),
    AblationVariant("carrying on into the hole", "the offset to the scan ends at the scan's rim"),
)
PICTURES = AblationVariant("pictures", "the fit never sees the inpainted pictures")
"""Left out in turn where a completion was guided by pictures."""


def ablation_variants(result: Completion) -> tuple[AblationVariant, ...]:
    """What is left out in turn for a completion."""
    pictures = result.context.guidance
    guided = pictures is not None and pictures.found.observations is not None
    return (*ABLATION_VARIANTS, PICTURES) if guided else ABLATION_VARIANTS


class Runs:
    """Repeats the job; what leaves the fit alone shares one fit."""

    def __init__(self, layers: DisplayData) -> None:
        self.layers = layers
        self._whole: list[tuple[CompletionState, FitContext]] = []
        self._guidance: list[tuple[Scan, GuidanceRecord | None]] = []

    def run(self, scan: Scan, leaving: str) -> tuple[Floats, float]:
        """Vertices (V, 3) of the job without a stage, in the completion's face frame, and the gap at the rim."""
        own = self.layers.result.context
        guidance = None if leaving == PICTURES.name else self._guidance_of(scan)
        start = replace(known_pose(own), scan=scan, guidance=guidance, **_altered(own, leaving))
        done = self._refit(start) if start.model is own.model else refit(start)
        vertices, smooth = done.projection.vertices, done.model.decode(done.fit.code)
        if leaving == "projection":
            vertices = smooth
        if leaving == "carrying on into the hole":
            vertices = np.where(done.projection.observed[:, None], vertices, smooth)
        gap = _rim_gap(done, done.projection, smooth, vertices)
        return own.fit.pose.apply(done.fit.pose.inverse().apply(vertices)), gap

    def _refit(self, start: CompletionState) -> FitContext:
        for other, done in self._whole:
            if other.scan is start.scan and other.guidance is start.guidance:
                return done
        self._whole.append((start, refit(start)))
        return self._whole[-1][1]

    def _guidance_of(self, scan: Scan) -> GuidanceRecord | None:
        """The pictures of a completion, or those that are taken anew of a scan with a hidden place."""
        own = self.layers.result.context
        if scan is own.scan or own.guidance is None:
            return own.guidance
        for other, found in self._guidance:
            if other is scan:
                return found
        start = replace(known_pose(own), scan=scan, guidance_source=own.guidance.source)
        self._guidance.append((scan, REFIT.up_to("guide").run(start).guidance))
        return self._guidance[-1][1]


REFIT = COMPLETION.starting_at("fit").up_to("project")
"""What is repeated: the fit from the pose that was found, pictures, and the projection."""


def known_pose(own: FitContext) -> CompletionState:
    """The state of a completion before its fit, at the pose that it found; whether it is a face was judged before."""
    start = PoseHypothesis(own.fit.pose, np.zeros(own.model.code_size), score=1.0, rms_mm=0.0, prior=0.0)
    acceptance = replace(own.settings.acceptance, most_fitted_prior=np.inf)
    settings = replace(own.settings, more_starts=0, acceptance=acceptance)
    return CompletionState(
        model=own.model, scan=own.scan, hypothesis=start, settings=settings, seed=own.state.seed, guidance=own.guidance
    )


def refit(start: CompletionState) -> FitContext:
    """Fit and projection once more, with the pictures that the state already has."""

    def look_again(state: CompletionState) -> CompletionState:
        if state.guidance is None or state.model is None or state.fit is None:
            return state
        return replace(state, fit=apply_guidance(state.fit, state.model, state.guidance.found))

    return FitContext(REFIT.replace_stage("guide", look_again).run(start))


def _altered(own: FitContext, leaving: str) -> dict[str, Any]:
    """What changes in the state when a stage is left out of the fit."""
    model = own.model
    if not isinstance(model, LinearGenerator):
        raise ValueError(f"stages are left out of linear models alone, not of a {type(model).__name__}")
    if leaving == "symmetry":
        settings = known_pose(own).settings
        return {"model": sides_apart(model), "settings": replace(settings, fit=twice_the_modes(settings.fit))}
    changes = {"shape modes": only_size, "offsets beside the code": without_fields, "asymmetry": symmetric}
    return {"model": changes[leaving](model)} if leaving in changes else {}


def _rim_gap(own: FitContext, projected: Projection, fitted: Floats, vertices: Floats) -> float:
    """Mean jump across the seen part's rim: offset of the scan's side from the fitted face, less the made side's."""
    faces, settings = own.template.faces[3], own.settings
    normals = vertex_normals(fitted, faces)
    on_scan, made = (np.einsum("vd,vd->v", v - fitted, normals) for v in (projected.vertices, vertices))
    proper = face_mask(own.template, level=3, radius_mm=settings.face_radius_mm)
    edges, _, _ = unique_edges(faces)
    seen = projected.observed[edges]
    across = proper[edges].all(axis=1) & (seen[:, 0] != seen[:, 1])
    if not across.any():
        return 0.0
    pairs = np.where(seen[across, :1], edges[across], edges[across][:, ::-1])
    return float(np.abs(on_scan[pairs[:, 0]] - made[pairs[:, 1]]).mean())
