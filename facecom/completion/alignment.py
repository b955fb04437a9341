"""A scan cleaned and in mm, and its pose: the one in which the rough fit explains the most of a face."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.types import AcceptanceThresholds, CompletionSettings, Scan
from facecom.errors import AlignmentError, ScanError
from facecom.fitting.pose_hypotheses import PoseHypothesis, best_pose_hypothesis
from facecom.geometry.clustering import cluster_vertices
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Mesh, face_areas, joined, vertex_normals
from facecom.model import face_region
from facecom.model.protocol import FaceModel
from facecom.model.template import FIT_LEVEL, Template
from facecom.scan.alignment import PoseCandidate, align_landmarks, candidate_poses, likely_orientations
from facecom.scan.cleaning import CleanReport, clean_scan
from facecom.scan.outer_surface import outer_surface
from facecom.scan.surface_reconstruction import surface_from_points
from facecom.scan.units import UnitChoice, resolve_unit

HEAD_CENTRE_MM = (0.0, 10.0, -90.0)
"""Middle of the head in the face frame."""
LEAST_TRIANGLES = 50
"""With fewer a scan shows no face."""
SPACING_SAMPLE = 20_000
"""So many triangles tell how far apart a scan's vertices are."""
COARSE_SHARE = 0.6
"""A scan whose edges are longer than this share of a cell is coarse enough for the fit as it is."""
VERTEX_AREA_MM2, LEAST_WEIGHT, MOST_WEIGHT = 16.0, 0.05, 3.0
"""Area that a vertex of weight one stands for, and the bounds of weights by area."""
REFERENCE_INSET_MM = 5.0
"""What is looked for in a scan ends this far within the face proper, whose rim hair and collars hide."""
PROFILE_MIDLINE_MM, PROFILE_NORMAL = -3.0, 0.1
"""A face from the side: what lies up to 3 mm beyond the midline, and whose normal looks that way by a tenth."""


def prepare_scan(
    raw: Mesh, *, unit: UnitChoice, settings: CompletionSettings, seed: int = 0, mm_per_unit: float | None = None
) -> Scan:
    """Give points a surface, clean, find the unit, take a solid's outer skin, make the coarser copy for the fit."""
    surface = raw if len(raw.faces) else surface_from_points(raw, seed=seed)
    cleaned = clean_scan(surface)
    mesh = cleaned.mesh
    if len(mesh.faces) < LEAST_TRIANGLES:
        raise ScanError(
            f"of {len(surface.faces):,} triangles {len(mesh.faces):,} can be used, too few for a face; "
            "check that the file holds the whole scan"
        )
    found = resolve_unit(mesh, unit, mm_per_unit=mm_per_unit)
    mesh, removed = outer_surface(mesh, cleaned.report, mm_per_unit=found.scale_to_mm)
    scan = scan_of(mesh, found.unit, found.scale_to_mm, removed=removed, settings=settings)
    return replace(scan, other_units=found.others)


def scan_of(
    mesh: Mesh,
    unit: str,
    mm_per_unit: float,
    *,
    removed: CleanReport,
    settings: CompletionSettings,
    doubted: Bools | None = None,
    defect: Mesh | None = None,
) -> Scan:
    """A cleaned mesh in its own unit, ready for queries and with the coarser copy for the fit."""
    doubted = np.zeros(len(mesh.faces), bool) if doubted is None else doubted
    in_mm = Mesh(mesh.vertices * mm_per_unit, mesh.faces, colors=mesh.colors)
    fine, for_fit = _surfaces(in_mm, doubted, settings)
    defect = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64)) if defect is None else defect
    return Scan(mesh, fine, for_fit, unit, mm_per_unit, False, removed, doubted, defect)


def split_scan(
    scan: Scan, *, defect: Bools, doubted: Bools, settings: CompletionSettings, rim_mm: float | None = None
) -> Scan:
    """The scan without its defect, whose triangles become `Scan.defect`, and with more of it doubted.

    defect, doubted : (F,) bool, triangles of `scan.mesh`
    rim_mm : width of the strip about the defect that is doubted too; that of marked ones unless given

    Raises
    ------
    ScanError
        When next to nothing is left.
    """
    if not (defect.any() or doubted.any()):
        return scan
    if len(defect) - defect.sum() < LEAST_TRIANGLES:
        raise ScanError("all of the scan is marked as missing; mark the defect alone, and not the face around it")
    kept, _ = scan.mesh.submesh(~defect)
    gone = defect.any()
    doubted = doubted | _rim(
        scan.mesh, defect, (settings.doubted_rim_mm if rim_mm is None else rim_mm) / scan.mm_per_unit
    )
    bed = joined(scan.defect, scan.mesh.submesh(defect)[0]) if gone else scan.defect
    parted = scan_of(
        kept if gone else scan.mesh,
        scan.unit,
        scan.mm_per_unit,
        removed=scan.removed,
        settings=settings,
        doubted=(scan.doubted | doubted)[~defect],
        defect=bed,
    )
    parted = replace(parted, mm_per_unit_sigma=scan.mm_per_unit_sigma, other_units=scan.other_units)
    return flip_orientation(parted, settings) if scan.inside_out else parted


def _rim(mesh: Mesh, defect: Bools, width: float) -> Bools:
    """Triangles (F,) beside a defect: a wound's border swells, and no mark of it is exact."""
    if not defect.any() or width <= 0:
        return np.zeros(len(defect), bool)
    centres = mesh.vertices[mesh.faces].mean(axis=1)
    near = cKDTree(centres[defect]).query(centres, distance_upper_bound=width)[0] < width
    return np.asarray(near & ~defect)


def _surfaces(in_mm: Mesh, doubted: Bools, settings: CompletionSettings) -> tuple[OrientedSurface, OrientedSurface]:
    """The scan ready for queries, and the coarser copy for the fit, which is the same where the scan is coarse."""
    some = in_mm.faces[:: max(1, len(in_mm.faces) // SPACING_SAMPLE)]
    spacing = float(np.median(np.linalg.norm(in_mm.vertices[some[:, 0]] - in_mm.vertices[some[:, 1]], axis=1)))
    not_believed = np.zeros(len(in_mm.vertices), bool)
    not_believed[in_mm.faces[doubted]] = True
    fine = OrientedSurface(in_mm, doubted=not_believed)
    if spacing > COARSE_SHARE * settings.fit_cell_mm:
        return fine, fine
    coarse, cell = cluster_vertices(in_mm, cell_mm=settings.fit_cell_mm)
    in_cell = np.zeros(len(coarse.vertices), bool)
    in_cell[cell[not_believed]] = True
    return fine, OrientedSurface(coarse, doubted=in_cell)


def flip_orientation(scan: Scan, settings: CompletionSettings) -> Scan:
    """The same scan with its triangles facing the other way."""
    flipped = Mesh(scan.mm.mesh.vertices, scan.mm.mesh.faces[:, ::-1], colors=scan.mm.mesh.colors)
    fine, for_fit = _surfaces(flipped, scan.doubted, settings)
    return replace(scan, mm=fine, for_fit=for_fit, inside_out=not scan.inside_out)


def face_mask(template: Template, *, level: int, radius_mm: float) -> Bools:
    """Vertices of a level that are face, not scalp, ear or neck, (V,)."""
    return face_region.face_mask(template.vertices[: template.counts[level]], radius_mm=radius_mm)


def vertex_weights(template: Template, *, level: int, settings: CompletionSettings) -> Floats:
    """How much each vertex counts in the fit, (V,): by the area it stands for and by region."""
    count = template.counts[level]
    area = vertex_areas(template.vertices[:count], template.faces[level])
    in_face = face_mask(template, level=level, radius_mm=settings.face_radius_mm)
    # the template closes nostrils with a shallow surface, a scan looks into them
    open_skin = in_face & ~template.region_mask("nostrils", level)
    return np.clip(area / VERTEX_AREA_MM2, LEAST_WEIGHT, MOST_WEIGHT) * np.where(open_skin, 1.0, settings.outer_trust)


def align_scan(
    scan: Scan, model: FaceModel, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> tuple[PoseHypothesis, Scan]:
    """What `search_face` finds, where the scan shows no second face."""
    start, side = search_face(scan, model, landmarks, settings)
    if len(landmarks) < 3:
        refuse_second_face(start, side, model, settings)
    return start, side


def search_face(
    scan: Scan, model: FaceModel, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> tuple[PoseHypothesis, Scan]:
    """The pose from which the rough fit explains the most of a face, and the scan with its triangles outwards.

    Raises
    ------
    AlignmentError
        When no pose makes the scan look like a face.
    """
    template, found = model.template, []
    for name in landmarks:  # an unknown name is a slip, however many others there are
        template.landmark_index(name)
    if len(landmarks) >= 3:
        names = sorted(landmarks)
        target = template.vertices[[template.landmark_index(n) for n in names]]
        pose = align_landmarks(np.array([landmarks[n] for n in names]), target)
        poses = [PoseCandidate(pose, 1.0, inside_out) for inside_out in (False, True)]
        found = pose_hypotheses(scan, model, poses, settings)
    else:
        found = _searched_both_sides(scan, model, settings)
    if not found:
        raise AlignmentError("no pose makes the scan look like a face: nothing of it matches; is it a face?")
    start, side = max(found, key=lambda pair: pair[0].score)
    check_acceptance(start, settings.acceptance, landmarks_given=len(landmarks) >= 3)
    return start, side


def _searched_both_sides(
    scan: Scan, model: FaceModel, settings: CompletionSettings
) -> list[tuple[PoseHypothesis, Scan]]:
    """Hypotheses with the triangles as they are likely to face; where those convince nobody, with the other way too.

    Of the other way only one that convinces counts, or any where the likely way has none that would be accepted.
    """
    acceptance, likely = settings.acceptance, likely_orientations(scan.for_fit.mesh)
    found = _searched(scan, model, settings, orientations=likely)
    if len(likely) > 1 or any(acceptance.convinces(start) for start, _ in found):
        return found
    others = _searched(scan, model, settings, orientations=(not likely[0],))
    if any(acceptance.accepts(start) for start, _ in found):
        others = [pair for pair in others if acceptance.convinces(pair[0])]
    return found + others


def _searched(
    scan: Scan, model: FaceModel, settings: CompletionSettings, *, orientations: tuple[bool, ...]
) -> list[tuple[PoseHypothesis, Scan]]:
    """Hypotheses of one group of poses after the other, until one convinces."""
    found = []
    for poses in _pose_groups(scan, model.template, settings, orientations):
        found += pose_hypotheses(scan, model, poses, settings)
        if any(settings.acceptance.convinces(start) for start, _ in found):
            break
    return found


def refuse_second_face(start: PoseHypothesis, scan: Scan, model: FaceModel, settings: CompletionSettings) -> None:
    """Which of two faces is meant only the caller knows: what lies beside the head found must not be one."""
    in_face = start.pose.apply(scan.for_fit.mesh.vertices)
    beside = np.linalg.norm(in_face - HEAD_CENTRE_MM, axis=1) > settings.head_radius_mm
    rest, _ = scan.for_fit.mesh.submesh(np.all(beside[scan.for_fit.mesh.faces], axis=1))
    if face_areas(rest).sum() < settings.acceptance.least_beside_mm2:
        return
    reference = next(pose_references(model.template, radius_mm=settings.face_radius_mm - REFERENCE_INSET_MM))
    poses = [pose for pose in candidate_poses(rest, reference, settings=settings.align) if not pose.inside_out]
    tried = [pose.pose for pose in near_best(poses, settings)[0]]
    weights = vertex_weights(model.template, level=FIT_LEVEL, settings=settings)
    second = best_pose_hypothesis(OrientedSurface(rest), model, tried, weights=weights, settings=settings.start)
    if (
        second is not None
        and settings.acceptance.convinces(second)
        and second.rms_mm <= settings.acceptance.most_rms_mm
    ):
        apart = np.linalg.norm(second.pose.inverse().translation - start.pose.inverse().translation)
        raise AlignmentError(
            f"the scan shows two faces: {start.score:.0%} of one is explained, and {second.score:.0%} of another "
            f"{apart:.0f} mm away; cut one of them out, or name three landmarks of the one that is meant"
        )


def _pose_groups(
    scan: Scan, template: Template, settings: CompletionSettings, orientations: tuple[bool, ...]
) -> Iterator[list[PoseCandidate]]:
    """Poses to try, in groups: of each reference those that come near its best, then the rest."""
    for reference in pose_references(template, radius_mm=settings.face_radius_mm - REFERENCE_INSET_MM):
        poses = candidate_poses(scan.for_fit.mesh, reference, settings=settings.align, orientations=orientations)
        yield from near_best(poses, settings)


def near_best(
    poses: list[PoseCandidate], settings: CompletionSettings
) -> tuple[list[PoseCandidate], list[PoseCandidate]]:
    """Poses that come near the best one's score, and the others."""
    near = settings.near_score * max((pose.score for pose in poses), default=0.0)
    return [pose for pose in poses if pose.score >= near], [pose for pose in poses if pose.score < near]


def pose_references(template: Template, *, radius_mm: float) -> Iterator[Mesh]:
    """What to look for in a scan: the face proper, then, for scans from the side, each half with its ear."""
    mesh = template.mesh(FIT_LEVEL)
    in_face = face_mask(template, level=FIT_LEVEL, radius_mm=radius_mm)
    yield mesh.submesh(np.all(in_face[mesh.faces], axis=1))[0]
    sideways = vertex_normals(mesh.vertices, mesh.faces)[:, 0]
    for side in (1.0, -1.0):
        visible = (side * mesh.vertices[:, 0] > PROFILE_MIDLINE_MM) & (side * sideways > PROFILE_NORMAL)
        yield mesh.submesh(np.all(visible[mesh.faces], axis=1))[0]


def pose_hypotheses(
    scan: Scan, model: FaceModel, poses: list[PoseCandidate], settings: CompletionSettings, *, with_scale: bool = False
) -> list[tuple[PoseHypothesis, Scan]]:
    """The best rough fit for each orientation of the triangles that the poses suggest."""
    weights = vertex_weights(model.template, level=FIT_LEVEL, settings=settings)
    found = []
    for inside_out in sorted({candidate.inside_out for candidate in poses}):
        side = flip_orientation(scan, settings) if inside_out else scan
        tried = [candidate.pose for candidate in poses if candidate.inside_out == inside_out]
        start = best_pose_hypothesis(
            side.for_fit, model, tried, weights=weights, settings=settings.start, with_scale=with_scale
        )
        if start is not None:
            found.append((start, side))
    return found


def check_acceptance(start: PoseHypothesis, limits: AcceptanceThresholds, *, landmarks_given: bool) -> None:
    """Refuse a rough fit that explains too little of a face, or as too unusual a one.

    Raises
    ------
    AlignmentError
        With the figures, and what helps where there is a face.
    """
    if limits.accepts(start):
        return
    figures = (
        f"at best {start.score:.0%} of a face is explained (needed {limits.least_score:.0%}), with {start.rms_mm:.1f} "
        f"mm between (at most {limits.most_rms_mm:g}) and a shape {start.prior:.1f} times as unusual as a face "
        f"(at most {limits.most_prior:g})"
    )
    advice = "cut away what is not the head" + ("" if landmarks_given else ", or name three landmarks")
    raise AlignmentError(
        f"the scan does not look like a face, or shows too little of one: {figures}; where it does show one, {advice}"
    )
