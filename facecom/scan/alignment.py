"""Find where the face is in a scan: any pose, no landmarks.

Oriented surface points of the scan are paired with a few anchor points of a mean face: position and normal fix the pose
up to a roll angle, which is tried in steps. All hypotheses are scored at once against a distance grid of the scan, the
best are refined by a batched robust point-to-plane ICP, and the distinct ones are returned with their scores. The fit,
which knows shape and size, decides between them.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.errors import AlignmentError
from facecom.geometry.mesh import Floats, Mesh, face_cross
from facecom.geometry.transform import Similarity, fit_similarity, orthonormal
from facecom.scan.oriented_samples import Samples, oriented_samples
from facecom.scan.pose_search import AlignSettings, search

__all__ = ["AlignSettings", "PoseCandidate", "candidate_poses", "align_landmarks", "likely_orientations"]

MIN_LANDMARK_SPREAD = 1e-3
"""Least ratio of the second to the first principal extent of landmarks; below it they lie on one line."""
CLEAR_BULGE = 0.15
"""Mean cosine between normals and the directions from the middle beyond which the orientation of a scan is plain."""


@dataclass(frozen=True, eq=False)
class PoseCandidate:
    """One pose in which the scan looks like a face.

    pose : scan frame (mm) -> face frame; score : 0..1, share of the reference face that the scan explains at
    `AlignSettings.sigma_mm[2]`; inside_out : whether the scan's triangles face inwards.
    """

    pose: Similarity
    score: float
    inside_out: bool


def candidate_poses(
    scan: Mesh,
    reference: Mesh,
    *,
    settings: AlignSettings | None = None,
    orientations: tuple[bool, ...] | None = None,
) -> list[PoseCandidate]:
    """Poses in which `scan` looks like `reference`, best first.

    Parameters
    ----------
    scan : Mesh with faces, mm, any pose
    reference : Mesh, mm, face frame; the mean face where it is most alike between people (a thousand vertices do)
    orientations : whether the scan's triangles face inwards, to be tried; the likely ones unless given

    Raises
    ------
    AlignmentError
        When the scan is far too small or too large to hold a face.
    """
    settings = settings or AlignSettings()
    canonical = _principal_frame(scan)
    moved = scan.with_vertices(canonical.apply(scan.vertices))
    template = _samples(reference, settings)
    candidates: list[PoseCandidate] = []
    for inside_out in _likely_orientations(moved) if orientations is None else orientations:
        poses, scores = search(_samples(moved, settings, flip=inside_out), template, settings)
        for rotation, translation, score in zip(poses.rotations, poses.translations, scores, strict=True):
            pose = Similarity(orthonormal(rotation), translation).inverse() @ canonical
            candidates.append(PoseCandidate(pose, float(score), inside_out))
    candidates.sort(key=lambda candidate: -candidate.score)
    return candidates[: settings.candidates]


def _samples(mesh: Mesh, settings: AlignSettings, *, flip: bool = False) -> Samples:
    return oriented_samples(
        mesh,
        voxel_mm=settings.voxel_mm,
        smooth_radius_mm=settings.smooth_radius_mm,
        relief_radius_mm=settings.relief_radius_mm,
        flip=flip,
    )


def align_landmarks(
    points: Floats, reference: Floats, *, weights: Floats | None = None, with_scale: bool = False
) -> Similarity:
    """Pose that takes named scan points (N, 3) onto the same points of the reference face, rigid unless `with_scale`.

    Raises
    ------
    AlignmentError
        With fewer than three points, or with points on one line.
    """
    if len(points) < 3:
        raise AlignmentError(f"a pose needs at least three landmarks, got {len(points)}; name more or leave them out")
    spread = np.linalg.svd(np.asarray(points, float) - np.mean(points, axis=0), compute_uv=False)
    if spread[1] < MIN_LANDMARK_SPREAD * max(spread[0], 1e-12):
        raise AlignmentError("the landmarks lie on one line, which leaves the pose open; name one off it")
    return fit_similarity(points, reference, weights=weights, with_scale=with_scale)


def _principal_frame(scan: Mesh) -> Similarity:
    """Scan frame -> principal axes about the centroid, so that the search does not depend on the input pose."""
    corners = scan.vertices[scan.faces]
    area = 0.5 * np.linalg.norm(face_cross(scan.vertices, scan.faces), axis=1)
    if not area.sum() > 0:
        raise AlignmentError("the scan has no area: every triangle is degenerate; check how it was exported")
    centres = corners.mean(1)
    weight = area / area.sum()
    centroid = weight @ centres
    centred = centres - centroid
    _, axes = np.linalg.eigh((centred * weight[:, None]).T @ centred)
    skewness = weight @ (centred @ axes) ** 3
    axes = axes * np.where(skewness < 0, -1.0, 1.0)
    axes[:, 2] *= np.linalg.det(axes)
    rotation = axes.T
    return Similarity(orthonormal(rotation), -rotation @ centroid)


def likely_orientations(scan: Mesh) -> tuple[bool, ...]:
    """Whether triangles may face inwards: one answer where the scan as a whole bulges or is hollow, else both.

    A head bulges, so that its normals point away from its middle; but a face amid shoulders and arms that reach forward
    is hollow as a whole. Where the likely orientation shows no face, the other may.

    Raises
    ------
    AlignmentError
        When the scan has no area.
    """
    return _likely_orientations(scan.with_vertices(_principal_frame(scan).apply(scan.vertices)))


def _likely_orientations(scan: Mesh) -> tuple[bool, ...]:
    cross = face_cross(scan.vertices, scan.faces)
    centres = scan.vertices[scan.faces].mean(1)
    area = np.linalg.norm(cross, axis=1)
    bulge = np.einsum("fd,fd->", cross, centres) / max(float(area @ np.linalg.norm(centres, axis=1)), 1e-12)
    if abs(bulge) > CLEAR_BULGE:
        return (bool(bulge < 0),)
    return (False, True)
