"""The job repeated with one stage left out."""

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
    pictures = result.evidence.pictures
    guided = pictures is not None and pictures.found.observations is not None
    return (*ABLATION_VARIANTS, PICTURES) if guided else ABLATION_VARIANTS


class Runs:
    """Repeats the job; what leaves the fit alone shares one fit."""

    def __init__(self, layers: DisplayData) -> None:
        self.layers = layers
        self._whole: list[tuple[FitContext, Fit, Projection]] = []
        self._pictures: list[tuple[Scan, GuidanceRecord | None]] = []

    def run(self, scan: Scan, leaving: str) -> tuple[Floats, float]:
        """Vertices (V, 3) of the job without a stage, in the completion's face frame, and the gap at the rim."""
        own = self.layers.result.evidence
        pictures = None if leaving == PICTURES.name else self._pictures_of(scan)
        changed = replace(own, scan=scan, pictures=pictures, **_altered(own, leaving))
        fitted, projected = self._refit(changed) if changed.model is own.model else refit(changed)
        vertices, smooth = projected.vertices, changed.model.decode(fitted.code)
        if leaving == "projection":
            vertices = smooth
        if leaving == "carrying on into the hole":
            vertices = np.where(projected.observed[:, None], vertices, smooth)
        gap = _rim_gap(changed, projected, smooth, vertices)
        return own.fit.pose.apply(fitted.pose.inverse().apply(vertices)), gap

    def _refit(self, own: FitContext) -> tuple[Fit, Projection]:
        for other, fitted, projected in self._whole:
            if other.scan is own.scan and other.pictures is own.pictures:
                return fitted, projected
        self._whole.append((own, *refit(own)))
        return self._whole[-1][1:]

    def _pictures_of(self, scan: Scan) -> GuidanceRecord | None:
        """The pictures of a completion, or those that are taken anew of a scan with a hidden place."""
        own = self.layers.result.evidence
        if scan is own.scan or own.pictures is None:
            return own.pictures
        for other, pictures in self._pictures:
            if other is scan:
                return pictures
        before, source = _fit(replace(own, scan=scan)), own.pictures.source
        found, _ = render_guidance(scan, own.model, before, source, own.settings)
        self._pictures.append((scan, None if found is None else GuidanceRecord(source, found, before)))
        return self._pictures[-1][1]


def refit(own: FitContext) -> tuple[Fit, Projection]:
    """Fit and projection of a completion once more, from the pose that it found, with the pictures that it has."""
    fitted = apply_guidance(_fit(own), own.model, own.pictures.found if own.pictures else None)
    return fitted, project_face(own.scan, own.model, fitted, own.settings)


def _fit(own: FitContext) -> Fit:
    start = PoseHypothesis(own.fit.pose, np.zeros(own.model.code_size), score=1.0, rms_mm=0.0, prior=0.0)
    # The pose is known, and whether it is a face was judged with all stages in place.
    judged = replace(own.settings, more_starts=0, verdict=replace(own.settings.verdict, most_fitted_prior=np.inf))
    return fit_face(own.scan, own.model, start, {}, judged)


def _altered(own: FitContext, leaving: str) -> dict[str, Any]:
    """What changes in the evidence when a stage is left out of the fit."""
    model = own.model
    if not isinstance(model, LinearGenerator):
        raise ValueError(f"stages are left out of linear models alone, not of a {type(model).__name__}")
    if leaving == "symmetry":
        settings = replace(own.settings, fit=twice_the_modes(own.settings.fit))
        return {"model": sides_apart(model), "settings": settings}
    changes = {"shape modes": only_size, "offsets beside the code": without_fields, "asymmetry": symmetric}
    return {"model": changes[leaving](model)} if leaving in changes else {}


def _rim_gap(own: FitContext, projected: Projection, fitted: Floats, vertices: Floats) -> float:
    """Mean jump across the seen part's rim: offset of the scan's side from the fitted face, less the made side's."""
    faces, settings = own.model.template.faces[3], own.settings
    normals = vertex_normals(fitted, faces)
    on_scan, made = (np.einsum("vd,vd->v", v - fitted, normals) for v in (projected.vertices, vertices))
    proper = face_mask(own.model.template, level=3, radius_mm=settings.face_radius_mm)
    edges, _, _ = unique_edges(faces)
    seen = projected.observed[edges]
    across = proper[edges].all(axis=1) & (seen[:, 0] != seen[:, 1])
    if not across.any():
        return 0.0
    pairs = np.where(seen[across, :1], edges[across], edges[across][:, ::-1])
    return float(np.abs(on_scan[pairs[:, 0]] - made[pairs[:, 1]]).mean())
