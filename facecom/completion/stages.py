"""The second half of the job, in its order, a function a stage: each hands the folders below what they need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from facecom.completion.alignment import face_mask, vertex_weights
from facecom.completion.types import CompletionSettings, Scan
from facecom.errors import CheckpointError, FitError, MissingDependency
from facecom.fitting.fit import Fit, fit_from_several, gaussian_update, near_poses
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.fitting.posterior import calibrated_sigma, posterior_sigma
from facecom.geometry.correspondence import Correspondences
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Floats, Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.model.protocol import FaceModel
from facecom.model.template import Template
from facecom.model.tension_lines import compression_tensor
from facecom.projection.project import CorrespondenceFinder, Projection, project
from facecom.skin.color.fill import color_detail, colored_throughout, face_colors
from facecom.skin.detail import Detail, add_detail
from facecom.stitching.stitch import Stitched, stitch

if TYPE_CHECKING:
    from facecom.guidance.guide import Guidance


def fit_face(
    scan: Scan, model: FaceModel, start: PoseHypothesis, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> Fit:
    """Pose and code, from the pose that `find_face` chose and some near it; named landmarks in the scan's frame, mm.

    Raises
    ------
    FitError
        When too little matches, or the shape it ends at is no face's; with the figures.
    """
    template = model.template
    poses = near_poses(
        start.pose,
        settings.more_starts,
        turn_rad=settings.near_turn_rad,
        shift_mm=settings.near_shift_mm,
        seed=settings.seed,
    )
    fitted = fit_from_several(
        scan.for_fit,
        model,
        poses,
        settings=settings.fit,
        weights=vertex_weights(template, level=1, settings=settings),
        landmarks=landmarks,
        landmark_vertices={name: template.landmark_index(name) for name in landmarks},
        mirror=template.mirror,
    )
    odd, verdict = mean_squared_code(fitted, model, settings), settings.verdict
    if odd > verdict.most_fitted_prior:
        raise FitError(
            f"the scan does not look like a face: at best it is one with a shape {odd:.1f} times as unusual as a face "
            f"(at most {verdict.most_fitted_prior:g}), {fitted.terms['plane_rms_mm']:.2f} mm from the scan"
        )
    return fitted


def mean_squared_code(fitted: Fit, model: FaceModel, settings: CompletionSettings) -> float:
    """Mean square of the leading entries of the code, those that the search moves: a face has about one or less."""
    count = min(settings.start.rounds[-1][1].modes or model.code_size, model.identity_size)
    return float(np.mean(fitted.code[:count] ** 2))


def to_face_frame(mesh: Mesh, fitted: Fit) -> Mesh:
    """A mesh of the scan, fine or coarse, in the face frame."""
    return mesh.with_vertices(fitted.pose.apply(mesh.vertices))


def render_guidance(
    scan: Scan, model: FaceModel, fitted: Fit, source: Any, settings: CompletionSettings
) -> tuple[Guidance | None, tuple[str, ...]]:
    """Inpainted pictures of the scan as the fitted face leaves it, and what went wrong; none unless they are wanted.

    Parameters
    ----------
    source : "auto", "none", "shipped", or a pipeline: its `PipelineSettings`, or what `named_pipeline` takes for them;
        "auto" goes on without pictures where they fail

    Raises
    ------
    ValueError, CheckpointError, MissingDependency
        When the pictures were asked for by name and cannot be made.
    """
    if source == "none":
        return None, ()
    from facecom.guidance.guide import AUTO_USES_PICTURES, GuidanceSettings, guide

    if source == "auto" and not AUTO_USES_PICTURES:
        return None, ()
    template, level = model.template, 2
    vertices = model.decode(fitted.code, level=level)
    proper = face_mask(template, level=level, radius_mm=settings.inner_radius_mm)
    try:
        found = guide(
            to_face_frame(scan.for_fit.mesh, fitted),
            Mesh(vertices, template.faces[level]),
            face_mask=proper,
            source="shipped" if source == "auto" else source,
            settings=GuidanceSettings(seed=settings.seed),
        )
    except (ValueError, CheckpointError, MissingDependency) as error:
        if source != "auto":
            raise
        return None, (f"no guidance by pictures: {error}",)
    return found, found.warnings


def apply_guidance(fitted: Fit, model: FaceModel, pictures: Guidance | None) -> Fit:
    """The fit after one step with what pictures say; the same where they say nothing."""
    if pictures is None or pictures.observations is None:
        return fitted
    vertices = model.decode(fitted.code, level=2)
    rows = pictures.observations.jacobian_rows(vertices, model.jacobian(fitted.code, level=2))
    # What a network expects is no measurement: the face is as unsure as without the pictures.
    return replace(gaussian_update(fitted, *rows), precision=fitted.precision)


def correspondence_finder(scan: Scan, pose: Similarity) -> CorrespondenceFinder:
    """What answers where the scan has partners for vertices of the face frame."""

    def find(vertices: Floats, normals: Floats, reach_mm: float) -> Correspondences:
        return scan.mm.match(vertices, normals, pose=pose, reach_mm=reach_mm, normal_limit_rad=1.1)

    return find


def project_face(
    scan: Scan, model: FaceModel, fitted: Fit, settings: CompletionSettings, *, coarse: Floats | None = None
) -> Projection:
    """The fitted face on the finest level, moved onto the scan where it was seen.

    coarse : vertices of level 2 (V2, 3) to start from, those of the fitted code unless given
    """
    template = model.template
    coarse = model.decode(fitted.code, level=2) if coarse is None else coarse
    fine = template.vertices + model.prolong_offset(coarse - template.vertices[: len(coarse)], from_level=2, to_level=3)
    levels = ((coarse, template.faces[2]), (fine, template.faces[3]))
    prolongations = template.prolongation(1, scheme="loop"), template.prolongation(2, scheme="loop")
    find = correspondence_finder(scan, fitted.pose)
    return project(levels, prolongations, find, mirror=template.mirror, settings=settings.project)


def observed_share(template: Template, projected: Projection, settings: CompletionSettings) -> float:
    """Share of the face proper that was measured, by area on the mean face."""
    proper = face_mask(template, level=3, radius_mm=settings.inner_radius_mm)
    area = vertex_areas(template.vertices, template.faces[3])
    return float(area[projected.measured & proper].sum() / area[proper].sum())


def face_sigma(model: FaceModel, fitted: Fit, projected: Projection, settings: CompletionSettings) -> Floats:
    """Standard deviation of each vertex of the finest level along its normal, (V,), mm."""
    template, level = model.template, 1
    vertices = projected.vertices[: template.counts[level]]
    normals = vertex_normals(projected.vertices, template.faces[3])[: len(vertices)]
    jacobian = model.jacobian(fitted.code, level=level)
    coarse = posterior_sigma(jacobian, vertices, normals, fitted.precision)
    fine = template.prolong(coarse, from_level=level, to_level=3)
    return calibrated_sigma(
        fine,
        projected.vertices,
        projected.measured,
        residual_mm=fitted.terms["plane_rms_mm"],
        settings=settings.posterior,
    )


def completed_face(scan: Scan, template: Template, fitted: Fit, projected: Projection) -> Mesh:
    """The whole face in the face frame, mm, with its uv, and coloured where the scan is."""
    face = Mesh(projected.vertices, template.faces[3], uv=template.uv)
    own = colored_throughout(to_face_frame(scan.mm.mesh, fitted))
    if own.colors is None or not projected.measured.any():
        return face
    return replace(face, colors=face_colors(own, face, measured=projected.measured, mirror=template.mirror))


def stitch_face(
    scan: Scan, template: Template, fitted: Fit, projected: Projection, settings: CompletionSettings
) -> Stitched:
    """The scan with the missing part of the projected face stitched in, face frame, mm."""
    face = completed_face(scan, template, fitted, projected)
    return stitch(to_face_frame(scan.mm.mesh, fitted), face, settings=settings.join)


def add_skin_detail(
    scan: Scan,
    template: Template,
    fitted: Fit,
    projected: Projection,
    choice: Literal["own", "synthetic"],
    settings: CompletionSettings,
) -> tuple[Detail | None, tuple[str, ...]]:
    """Skin relief in the face frame, and what stood in its way."""
    own = to_face_frame(scan.mm.mesh, fitted)
    face = Mesh(projected.vertices, template.faces[3], uv=template.uv)
    options = replace(settings.detail, mode=choice)
    try:
        made = add_detail(
            own,
            face,
            measured=projected.measured,
            mirror=template.mirror,
            region=template.region,
            squeeze=compression_tensor(template),
            settings=options,
            seed=settings.seed,
        )
    except ValueError as error:
        return None, (f"no skin detail: {error}",)
    return color_detail(made, own, seed=settings.seed), made.warnings
