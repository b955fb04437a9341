"""The size of a scan that has no unit, from the face itself.

The scan is read at one size after another. At each the face is searched for, and rough fits are made in which it may
grow. The best of them goes through the whole fit with its size free. What holds the size is the prior of the code,
which knows how much faces differ: the posterior tells how well. Landmarks, where there are some, tell the size to begin
with.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from scipy import linalg

from facecom.completion.alignment import (
    REFERENCE_INSET_MM,
    check_acceptance,
    flip_orientation,
    near_best,
    pose_hypotheses,
    pose_references,
    refuse_second_face,
    scan_of,
    vertex_weights,
)
from facecom.completion.types import CompletionSettings, Scan
from facecom.errors import AlignmentError
from facecom.fitting.newton import FitProblem, newton_steps
from facecom.fitting.normal_equations import MOTION_SIZE, cholesky_lower
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.clustering import cluster_vertices
from facecom.geometry.mesh import Floats
from facecom.geometry.transform import Similarity
from facecom.model.protocol import FaceModel
from facecom.model.template import FIT_LEVEL, Template
from facecom.scan.alignment import PoseCandidate, align_landmarks, candidate_poses
from facecom.scan.units import TYPICAL_SIZE_MM

SIZES_MM = (220.0, 286.0, 169.0, 371.0, 130.0, 483.0, 100.0, 627.0, 815.0)
"""Sizes at which a scan is read, the likely ones first. They lie 30 % apart; a rough fit finds a face that is up to a
fifth larger or smaller."""
ROUGH_CELL_MM = 1.8
"""Cells over which a scan is averaged while its size is sought."""
NEAR_FACTORS = (1.0, 1.2, 1 / 1.2)
"""Sizes that are tried about one that two landmarks tell."""
SIGMA_FACTOR = 1.6
"""On the standard deviation that the posterior gives the size, from heads of populations that the model has not seen;
of faces drawn from the model it would be 1."""


@dataclass(frozen=True, eq=False)
class Reading:
    """A rough fit to the scan read at one size.

    start : its pose has a scale; factor : of the scan as it was prepared; inside_out : whether its triangles face
    inwards
    """

    start: PoseHypothesis
    factor: float
    inside_out: bool


def align_free(
    scan: Scan, model: FaceModel, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> tuple[PoseHypothesis, Scan]:
    """The pose of a face whose size is not known, and the scan in mm with its triangles outwards.

    Parameters
    ----------
    scan : Scan, read at any size
    landmarks : name -> (3,), in the mm of that reading

    Raises
    ------
    AlignmentError
        When the scan shows no face at any size, or two.
    """
    best: Reading | None = None
    for reading in _readings(scan, model, landmarks, settings):
        if best is None or reading.start.score > best.start.score:
            best = reading
        if settings.acceptance.convinces(best.start):
            break
    if best is None:
        raise AlignmentError("no pose makes the scan look like a face, at no size: nothing of it matches")
    check_acceptance(best.start, settings.acceptance, landmarks_given=len(landmarks) >= 3)
    found, pose = _resized(scan, best.start.pose, best.factor, settings)
    found = flip_orientation(found, settings) if best.inside_out else found
    if len(landmarks) < 3:
        refuse_second_face(replace(best.start, pose=pose), found, model, settings)
    factor = found.mm_per_unit / scan.mm_per_unit
    named = {name: point * factor for name, point in landmarks.items()}
    fitted, sigma = _fit_with_scale(found, model, pose, named, settings)
    known, pose = _resized(found, fitted, 1.0, settings)
    known = flip_orientation(known, settings) if best.inside_out else known
    return replace(best.start, pose=pose), replace(known, mm_per_unit_sigma=SIGMA_FACTOR * sigma * known.mm_per_unit)


def scale_warning(scan: Scan) -> str:
    """What to say of a size that was found from the face."""
    share = (scan.mm_per_unit_sigma or 0.0) / scan.mm_per_unit
    return (
        f"the scan has no unit: of its face one is {scan.mm_per_unit:.4g} mm, with a standard deviation of "
        f"{100 * share:.1f} %, and all lengths in mm are as unsure"
    )


def _resized(scan: Scan, pose: Similarity, factor: float, settings: CompletionSettings) -> tuple[Scan, Similarity]:
    """The scan in the mm of a pose that has a scale, of the scan read `factor` times as large; and the pose without."""
    mm_per_unit = scan.mm_per_unit * factor * pose.scale
    made = scan_of(
        scan.mesh,
        scan.unit,
        mm_per_unit,
        removed=scan.removed,
        settings=settings,
        doubted=scan.doubted,
        defect=scan.defect,
    )
    return made, Similarity(pose.rotation, pose.translation)


def _readings(
    scan: Scan, model: FaceModel, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> Iterator[Reading]:
    """Rough fits at the sizes that landmarks tell, else at all sizes, the front of the face before its sides."""
    template, names = model.template, sorted(landmarks)
    target = np.array([template.vertices[template.landmark_index(name)] for name in names])
    points = np.array([landmarks[name] for name in names])
    if len(names) >= 3:
        pose = align_landmarks(points, target, with_scale=True)
        poses = [PoseCandidate(Similarity(pose.rotation, pose.translation), 1.0, side) for side in (False, True)]
        yield from rough_fits(read_at(scan, pose.scale, settings), model, poses, pose.scale, settings)
        return
    factors = [size / TYPICAL_SIZE_MM for size in SIZES_MM]
    if len(names) == 2 and np.linalg.norm(points[1] - points[0]) > 0.0:
        ratio = float(np.linalg.norm(target[1] - target[0]) / np.linalg.norm(points[1] - points[0]))
        factors = [ratio * factor for factor in NEAR_FACTORS]
    for reference in pose_references(template, radius_mm=settings.face_radius_mm - REFERENCE_INSET_MM):
        for factor in factors:
            read = read_at(scan, factor, settings)
            poses = near_best(candidate_poses(read.for_fit.mesh, reference, settings=settings.align), settings)[0]
            yield from rough_fits(read, model, poses, factor, settings)


def read_at(scan: Scan, factor: float, settings: CompletionSettings) -> Scan:
    """The scan as it was prepared, so many times as large, and coarse."""
    larger = scan.mm.mesh.with_vertices(scan.mm.mesh.vertices * factor)
    coarse = cluster_vertices(replace(larger, colors=None), cell_mm=ROUGH_CELL_MM)[0]
    # of a strip narrower than a cell no triangle is left
    rough = coarse if len(coarse.faces) else larger
    return scan_of(rough, "mm", 1.0, removed=scan.removed, settings=settings)


def rough_fits(
    read: Scan, model: FaceModel, poses: list[PoseCandidate], factor: float, settings: CompletionSettings
) -> Iterator[Reading]:
    """The best rough fit from these poses for each orientation of the triangles, the face's size free."""
    for start, side in pose_hypotheses(read, model, poses, settings, with_scale=True):
        yield Reading(start, factor, side.inside_out)


def _fit_with_scale(
    scan: Scan, model: FaceModel, pose: Similarity, landmarks: Mapping[str, Floats], settings: CompletionSettings
) -> tuple[Similarity, float]:
    """The pose, its scale included, after the whole fit, and the standard deviation of the scale's logarithm."""
    template: Template = model.template
    problem = FitProblem(
        scan.for_fit,
        model,
        replace(settings.fit, extra_terms=()),  # those know nothing of a scale
        vertex_weights(template, level=FIT_LEVEL, settings=settings),
        landmarks,
        landmark_vertices={name: template.landmark_index(name) for name in landmarks},
        mirror=template.mirror,
        with_scale=True,
    )
    *_, (last, _, _) = newton_steps(problem, pose)
    place = len(last.precision) - MOTION_SIZE - 1
    unit_vector = np.arange(len(last.precision)) == place
    half = linalg.solve_triangular(cholesky_lower(last.precision), unit_vector.astype(float), lower=True)
    return last.pose, float(np.linalg.norm(half))
