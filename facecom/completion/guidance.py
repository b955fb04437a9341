"""Inpainted images of the scan as observations of the fit."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from facecom.completion.alignment import face_mask
from facecom.completion.state import CompletionState, known
from facecom.errors import CheckpointError, MissingDependency
from facecom.fitting.fit import Fit, gaussian_update
from facecom.geometry.mesh import Mesh
from facecom.model.protocol import FaceModel
from facecom.model.template import SHAPE_LEVEL

if TYPE_CHECKING:
    from facecom.guidance.guide import Guidance


def render_guidance(state: CompletionState) -> tuple[Guidance | None, tuple[str, ...]]:
    """Inpainted images of the scan as the fitted face leaves it, and what went wrong; none unless they are wanted.

    With "auto" the job goes on without images where they fail.

    Raises
    ------
    ValueError, CheckpointError, MissingDependency
        When the images were asked for by name and cannot be made.
    """
    source = state.guidance_source
    if source == "none":
        return None, ()
    from facecom.guidance.guide import AUTO_USES_PICTURES, guide
    from facecom.guidance.settings import GuidanceSettings

    if source == "auto" and not AUTO_USES_PICTURES:
        return None, ()
    model, fitted, coarse = (
        known(state.model, "load model"),
        known(state.fit, "fit"),
        known(state.scan, "clean").for_fit,
    )
    template = model.template
    mask = face_mask(template, level=SHAPE_LEVEL, radius_mm=state.settings.inner_radius_mm)
    try:
        found = guide(
            coarse.mesh.with_vertices(fitted.pose.apply(coarse.mesh.vertices)),
            Mesh(model.decode(fitted.code, level=SHAPE_LEVEL), template.faces[SHAPE_LEVEL]),
            face_mask=mask,
            source="shipped" if source == "auto" else source,
            settings=GuidanceSettings(seed=state.seed),
        )
    except (ValueError, CheckpointError, MissingDependency) as error:
        if source != "auto":
            raise
        return None, (f"no guidance by images: {error}",)
    return found, found.warnings


def apply_guidance(fitted: Fit, model: FaceModel, found: Guidance | None) -> Fit:
    """The fit after one step with what images say; the same where they say nothing."""
    if found is None or found.observations is None:
        return fitted
    vertices = model.decode(fitted.code, level=SHAPE_LEVEL)
    rows = found.observations.jacobian_rows(vertices, model.jacobian(fitted.code, level=SHAPE_LEVEL))
    # What a network expects is no measurement: the face is as unsure as without the images.
    return replace(gaussian_update(fitted, *rows), precision=fitted.precision)
