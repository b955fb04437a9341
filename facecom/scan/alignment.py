"""Find where the face is in a scan: any pose, no landmarks.

Oriented surface points of the scan are matched with a few anchor points of a mean face: position and normal fix the
pose up to a roll angle, which is tried in steps. All hypotheses are scored at once against a distance grid of the
scan, the best are refined by a batched robust point-to-plane ICP, and the distinct survivors are returned with their
scores. Deciding between them is left to the fit, which knows shape and size.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.errors import AlignmentError
from facecom.geometry.mesh import Floats, Mesh, face_cross
from facecom.geometry.transform import Similarity, fit_similarity, orthonormal
from facecom.scan.pose_search import AlignSettings, oriented_samples, search

__all__ = ["AlignSettings", "PoseCandidate", "candidate_poses", "align_landmarks"]


@dataclass(frozen=True, eq=False)
class PoseCandidate:
    """One pose in which the scan looks like a face.

    pose : scan frame (mm) -> face frame; score : 0..1, share of the reference face that the scan explains at
    `AlignSettings.sigma_mm[2]`; inside_out : whether the scan's triangles face inwards.
    """

    pose: Similarity
    score: float
    inside_out: bool


def candidate_poses(scan: Mesh, reference: Mesh, *, settings: AlignSettings | None = None) -> list[PoseCandidate]:
    """Poses in which `scan` looks like `reference`, best first.

    Parameters
    ----------
    scan : Mesh with faces, mm, any pose
    reference : Mesh, mm, face frame; the mean face where it is most alike between people (a thousand vertices do)

    Raises
    ------
    AlignmentError
        When the scan is far too small or too large to hold a face.
    """
    settings = settings or AlignSettings()
    canonical = _inertia_frame(scan)
    moved = scan.with_vertices(canonical.apply(scan.vertices))
    template = oriented_samples(reference, settings)
    found: list[PoseCandidate] = []
    for inside_out in _orientations(moved):
        samples = oriented_samples(moved, settings, flip=inside_out)
        for rotation, translation, score in search(samples, template, settings):
            pose = Similarity(orthonormal(rotation), translation).inverse() @ canonical
            found.append(PoseCandidate(pose, float(score), inside_out))
    found.sort(key=lambda a: -a.score)
    return found[: settings.candidates]


def align_landmarks(points: Floats, reference: Floats, *, weights: Floats | None = None) -> Similarity:
    """Rigid pose that takes named scan points (N, 3) onto the same points of the reference face.

    Raises
    ------
    AlignmentError
        With fewer than three points, or with points on one line.
    """
    if len(points) < 3:
        raise AlignmentError(f"a pose needs at least three landmarks, got {len(points)}; name more or leave them out")
    spread = np.linalg.svd(np.asarray(points, float) - np.mean(points, axis=0), compute_uv=False)
    if spread[1] < 1e-3 * max(spread[0], 1e-12):
        raise AlignmentError("the landmarks lie on one line, which leaves the pose open; name one beside it")
    return fit_similarity(points, reference, weights=weights)


def _inertia_frame(scan: Mesh) -> Similarity:
    """Scan frame -> principal axes about the centroid, so that the search does not depend on the input pose."""
    corners = scan.vertices[scan.faces]
    area = 0.5 * np.linalg.norm(face_cross(scan.vertices, scan.faces), axis=1)
    if not area.sum() > 0:
        raise AlignmentError("the scan has no area: every triangle is degenerate; check how it was exported")
    centres = corners.mean(1)
    weight = area / area.sum()
    middle = weight @ centres
    centred = centres - middle
    _, axes = np.linalg.eigh((centred * weight[:, None]).T @ centred)
    skew = weight @ (centred @ axes) ** 3
    axes = axes * np.where(skew < 0, -1.0, 1.0)
    axes[:, 2] *= np.linalg.det(axes)
    rotation = axes.T
    return Similarity(orthonormal(rotation), -rotation @ middle)


def _orientations(scan: Mesh) -> tuple[bool, ...]:
    """Which orientations of the triangles to try: a face bulges outwards, so its normals lead away from its middle."""
    cross = face_cross(scan.vertices, scan.faces)
    centres = scan.vertices[scan.faces].mean(1)
    area = np.linalg.norm(cross, axis=1)
    out = np.einsum("fd,fd->", cross, centres) / max(float(area @ np.linalg.norm(centres, axis=1)), 1e-12)
    if abs(out) > 0.15:
        return (bool(out < 0),)
    return (False, True)
