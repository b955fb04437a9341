"""The stages of the job, each a function from state to state that hands the folders below what they need."""

from __future__ import annotations

import os
from dataclasses import replace

import numpy as np

from facecom.completion.alignment import prepare_scan, vertex_weights
from facecom.completion.assembly import make_report
from facecom.completion.coverage import check_acceptance, coverage_of, coverage_warnings, covered_gap_warnings
from facecom.completion.face_size import face_size, size_remark
from facecom.completion.guidance import apply_guidance, render_guidance
from facecom.completion.small_models import model_blamed
from facecom.completion.state import CompletionState, FaceFrameScan, GuidanceRecord, known
from facecom.completion.types import CompletionSettings, Scan
from facecom.completion.unit_trial import align_in_likely_unit
from facecom.errors import FitError
from facecom.fitting.fit import Fit, fit_from_several, near_poses
from facecom.fitting.posterior import calibrated_sigma, posterior_sigma
from facecom.geometry.correspondence import Correspondences
from facecom.geometry.mesh import Floats, Mesh, vertex_normals
from facecom.geometry.transform import Similarity
from facecom.io.conversion import mesh_and_warnings
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.template import FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL
from facecom.model.tension_lines import compression_tensor
from facecom.projection import project as projection
from facecom.scan.outer_surface import outer_surface_warnings
from facecom.skin.color.fill import color_detail, colored_throughout, face_colors
from facecom.skin.detail import add_detail as synthesise_detail
from facecom.stitching.stitch import stitch as stitch_meshes

PROJECTION_NORMAL_LIMIT_RAD = 1.1
"""A correspondence of the projection may be turned by more than one of the fit: the face lies close already."""


def read(state: CompletionState) -> CompletionState:
    """The scan as a mesh or a cloud, from a file or another library's object."""
    path = state.source if isinstance(state.source, str | os.PathLike) else None
    mesh, said = mesh_and_warnings(state.source)
    return replace(state, raw=mesh, source=path, warnings=state.warnings + said)


def load_model(state: CompletionState) -> CompletionState:
    """The model that was given, or the shipped one."""
    return replace(state, model=state.model or LinearGenerator.load())


def clean(state: CompletionState) -> CompletionState:
    """A surface in mm, without what is none, and its coarser copy for the fit."""
    raw = known(state.raw, "read")
    scan = prepare_scan(raw, unit=state.unit, settings=state.settings, seed=state.seed, mm_per_unit=state.mm_per_unit)
    return replace(state, scan=scan, raw=None, warnings=state.warnings + outer_surface_warnings(scan.removed))


def align(state: CompletionState) -> CompletionState:
    """The pose from which the rough fit explains the most of a face, and the scan with its triangles outwards.

    Of a scan without a unit also its size.

    Raises
    ------
    AlignmentError
        When no pose makes the scan look like a face.
    ValueError
        When landmarks do not belong to the scan.
    """
    with model_blamed(known(state.model, "load model")):
        return align_in_likely_unit(state)


def fit(state: CompletionState) -> CompletionState:
    """Pose and code, from the pose that was found and some near it.

    Raises
    ------
    FitError
        When too little corresponds; with the figures.
    """
    scan, model, settings = known(state.scan, "clean"), known(state.model, "load model"), state.settings
    template, landmarks = model.template, state.landmarks_mm
    poses = near_poses(
        known(state.hypothesis, "align").pose,
        settings.more_starts,
        turn_rad=settings.near_turn_rad,
        shift_mm=settings.near_shift_mm,
        seed=state.seed,
    )
    fitted = fit_from_several(
        scan.for_fit,
        model,
        poses,
        settings=settings.fit,
        weights=vertex_weights(template, level=FIT_LEVEL, settings=settings),
        landmarks=landmarks,
        landmark_vertices={name: template.landmark_index(name) for name in landmarks},
        mirror=template.mirror,
    )
    return replace(state, fit=fitted)


def check_shape(state: CompletionState) -> CompletionState:
    """Refuse a fit whose shape is no face's, and remark a face of an odd size.

    Raises
    ------
    FitError
        With the figures.
    """
    scan, model, fitted = known(state.scan, "clean"), known(state.model, "load model"), known(state.fit, "fit")
    # of a scan without a unit the size is what an adult's face makes it
    remark = None if scan.unit == "free" else size_remark(face_size(fitted.vertices, model.template))
    with model_blamed(model):
        _check_shape(fitted, model, state.settings, remark)
    return replace(state, warnings=state.warnings + ((remark,) if remark else ()))


def _check_shape(fitted: Fit, model: FaceModel, settings: CompletionSettings, remark: str | None) -> None:
    odd, acceptance = mean_squared_code(fitted, model, settings), settings.acceptance
    if odd > acceptance.most_fitted_prior:
        raise FitError(
            f"the scan does not look like a face: at best it is one with a shape {odd:.1f} times as unusual as a face "
            f"(at most {acceptance.most_fitted_prior:g}), {fitted.terms['plane_rms_mm']:.2f} mm from the scan"
            + (f"; {remark}" if remark else "")
        )


def mean_squared_code(fitted: Fit, model: FaceModel, settings: CompletionSettings) -> float:
    """Mean square of the leading entries of the code, those that the search moves: a face has about one or less."""
    count = min(settings.start.rounds[-1][1].modes or model.code_size, model.identity_size)
    return float(np.mean(fitted.code[:count] ** 2))


def guide(state: CompletionState) -> CompletionState:
    """The fit after it has looked at inpainted images of the scan, where they are asked for."""
    fitted, model = known(state.fit, "fit"), known(state.model, "load model")
    found, warnings = render_guidance(state)
    record = None if found is None else GuidanceRecord(state.guidance_source, found, fitted)
    guided = apply_guidance(fitted, model, found)
    return replace(state, fit=guided, guidance=record, warnings=state.warnings + warnings)


def enter_face_frame(state: CompletionState) -> CompletionState:
    """The scan moved into the face frame, once and for all stages to come."""
    scan, pose = known(state.scan, "clean"), known(state.fit, "fit").pose
    fine = scan.mm.mesh.with_vertices(pose.apply(scan.mm.mesh.vertices))
    same = scan.for_fit is scan.mm
    coarse = fine if same else scan.for_fit.mesh.with_vertices(pose.apply(scan.for_fit.mesh.vertices))
    return replace(state, in_face=FaceFrameScan(fine, coarse))


def project(state: CompletionState) -> CompletionState:
    """The fitted face on the finest level, moved onto the scan where it was observed.

    It starts from the fitted code, or from `coarse_vertices` where a stage before has set them.
    """
    scan, model, fitted = known(state.scan, "clean"), known(state.model, "load model"), known(state.fit, "fit")
    template, coarse = model.template, state.coarse_vertices
    coarse = model.decode(fitted.code, level=SHAPE_LEVEL) if coarse is None else coarse
    offset = coarse - template.vertices[: len(coarse)]
    fine = template.vertices + model.prolong_offset(offset, from_level=SHAPE_LEVEL, to_level=FINEST_LEVEL)
    levels = ((coarse, template.faces[SHAPE_LEVEL]), (fine, template.faces[FINEST_LEVEL]))
    prolongations = tuple(template.prolongation(level, scheme="loop") for level in (FIT_LEVEL, SHAPE_LEVEL))
    find = correspondence_finder(scan, fitted.pose)
    projected = projection.project(
        levels, (prolongations[0], prolongations[1]), find, mirror=template.mirror, settings=state.settings.project
    )
    return replace(state, projection=projected)


def correspondence_finder(scan: Scan, pose: Similarity) -> projection.CorrespondenceFinder:
    """What answers where on the scan vertices of the face frame have their correspondences."""

    def find(vertices: Floats, normals: Floats, reach_mm: float) -> Correspondences:
        return scan.mm.match(
            vertices, normals, pose=pose, reach_mm=reach_mm, normal_limit_rad=PROJECTION_NORMAL_LIMIT_RAD
        )

    return find


def measure_coverage(state: CompletionState) -> CompletionState:
    """How much of the face the scan shows."""
    return replace(state, coverage=coverage_of(state))


def check_coverage(state: CompletionState) -> CompletionState:
    """Refuse a face of which too little was observed, or which is drawn together there.

    Raises
    ------
    FitError
        With the figures.
    """
    coverage, acceptance = known(state.coverage, "measure coverage"), state.settings.acceptance
    model = known(state.model, "load model")
    unusual = mean_squared_code(known(state.fit, "fit"), model, state.settings)
    with model_blamed(model):
        check_acceptance(coverage, acceptance, fitted_prior=unusual)
    return replace(state, warnings=state.warnings + coverage_warnings(coverage, acceptance))


def estimate_sigma(state: CompletionState) -> CompletionState:
    """The standard deviation of each vertex of the finest level along its normal, mm."""
    model, fitted, projected = (
        known(state.model, "load model"),
        known(state.fit, "fit"),
        known(state.projection, "project"),
    )
    template, level = model.template, FIT_LEVEL
    vertices = projected.vertices[: template.counts[level]]
    normals = vertex_normals(projected.vertices, template.faces[FINEST_LEVEL])[: len(vertices)]
    jacobian = model.jacobian(fitted.code, level=level)
    coarse = posterior_sigma(jacobian, vertices, normals, fitted.precision)
    sigma = calibrated_sigma(
        template.prolong(coarse, from_level=level, to_level=FINEST_LEVEL),
        projected.vertices,
        projected.observed,
        residual_mm=fitted.terms["plane_rms_mm"],
        settings=state.settings.posterior,
    )
    return replace(state, sigma_mm=sigma)


def stitch(state: CompletionState) -> CompletionState:
    """The scan with the missing part of the projected face stitched in."""
    own = known(state.in_face, "enter face frame").fine
    made = replace(state, stitched=stitch_meshes(own, completed_face(state), settings=state.settings.stitch))
    return replace(made, warnings=made.warnings + covered_gap_warnings(made))


def completed_face(state: CompletionState) -> Mesh:
    """The whole face in the face frame, mm, with its uv, and coloured where the scan is."""
    template, projected = state.template, known(state.projection, "project")
    face = Mesh(projected.vertices, template.faces[FINEST_LEVEL], uv=template.uv)
    own = colored_throughout(known(state.in_face, "enter face frame").fine)
    if own.colors is None or not projected.observed.any():
        return face
    return replace(face, colors=face_colors(own, face, observed=projected.observed, mirror=template.mirror))


def add_detail(state: CompletionState) -> CompletionState:
    """Skin relief for what was missing, where it is asked for and can be made; else a warning says why not."""
    if state.detail_choice == "none":
        return state
    template, projected = state.template, known(state.projection, "project")
    own = known(state.in_face, "enter face frame").fine
    face = Mesh(projected.vertices, template.faces[FINEST_LEVEL], uv=template.uv)
    try:
        made = synthesise_detail(
            own,
            face,
            observed=projected.observed,
            mirror=template.mirror,
            region=template.region,
            compression=compression_tensor(template),
            settings=replace(state.settings.detail, mode=state.detail_choice),
            seed=state.seed,
        )
    except ValueError as error:
        return replace(state, warnings=(*state.warnings, f"no skin detail: {error}"))
    colored = color_detail(made, own, seed=state.seed)
    return replace(state, detail=colored, warnings=state.warnings + made.warnings)


def report(state: CompletionState) -> CompletionState:
    """What was done and what it showed, in figures; the seconds follow when the pipeline has ended."""
    return replace(state, report=make_report(state))
