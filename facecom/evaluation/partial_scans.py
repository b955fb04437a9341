"""Partial scans with a known truth: a defect, noise, clutter, another pose and another unit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import get_args

import numpy as np

from facecom.evaluation.defects import Defect, RimWaves, defect_mask, keypoint_cells
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, unit
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.geometry.units import MM_PER_UNIT, Unit

CLUTTER_DISTANCE_MM, CLUTTER_SPREAD_MM = 30, 20
"""How far in front of a point of the face clutter floats, and its standard deviation along each axis."""
CLUTTER_RADIUS_MM = (1, 4)
"""Distance of a blob's corners from its middle."""

NO_FACES = np.zeros((0, 3), np.int64)


@dataclass(frozen=True)
class ScanSettings:
    """How a scan differs from the face itself.

    noise_mm : standard deviation along each axis
    clutter : number of floating blobs in front of a meshed face
    max_angle : radians, largest rotation from upright and frontal
    max_shift_mm : largest translation along each axis
    unit : the scan's own
    waves : of the defect's rim
    """

    noise_mm: float = 0.1
    clutter: int = 0
    max_angle: float = np.radians(20)
    max_shift_mm: float = 150.0
    unit: Unit = "mm"
    waves: RimWaves = RimWaves()

    def __post_init__(self) -> None:
        if self.unit not in get_args(Unit):
            raise ValueError(f"unknown unit {self.unit!r}; expected one of {', '.join(get_args(Unit))}")


@dataclass(frozen=True, eq=False)
class PartialScan:
    """A partial scan and its truth.

    scan : Mesh, in its own pose and unit, without loose vertices; a point set where the defect leaves no faces;
    pose : Similarity, face frame (mm) -> scan; removed : (F,) bool, the faces of the complete face that are missing;
    vertex : the complete face's vertex of each of the scan's, -1 for clutter.
    """

    scan: Mesh
    pose: Similarity
    removed: Bools
    vertex: Ints


def partial_scan(face: Mesh, defect: Defect, *, seed: int, settings: ScanSettings | None = None) -> PartialScan:
    """Cut a defect into a complete face and scan what is left.

    Parameters
    ----------
    face : Mesh, mm, face frame
    defect : one of `facecom.evaluation.defects.DEFECTS`
    seed : int
    settings : ScanSettings, as `ScanSettings()` unless given

    Raises
    ------
    ValueError
        When the defect takes away everything.

    Examples
    --------
    >>> flat = Mesh([[0, 0, 0], [70, 0, -50], [70, 9, -50], [60, 9, -50]], [[0, 1, 2], [1, 2, 3]])
    >>> partial_scan(flat, "nose", seed=0).removed.tolist()
    [True, False]
    """
    choice = settings or ScanSettings()
    rng = np.random.default_rng(seed)
    lost = defect_mask(face.vertices, defect, seed=seed, waves=choice.waves)
    kept, vertex = _remaining(face, defect, lost)
    noisy = kept.vertices + rng.normal(size=kept.vertices.shape) * choice.noise_mm
    blobs = [_blob(noisy, rng) for _ in range(choice.clutter if len(kept.faces) else 0)]
    vertices = np.concatenate([noisy, *(blob.vertices for blob in blobs)])
    start = np.cumsum([len(noisy), *(len(blob.vertices) for blob in blobs)])
    faces = np.concatenate([kept.faces, *(blob.faces + at for blob, at in zip(blobs, start, strict=False))])
    pose = _pose(rng, choice)
    vertex = np.concatenate([vertex, np.full(len(vertices) - len(noisy), -1)])
    missing = np.any(lost[face.faces], axis=1) | (not len(kept.faces))
    return PartialScan(Mesh(pose.apply(vertices), faces), pose, missing, vertex)


def _remaining(face: Mesh, defect: Defect, lost: Bools) -> tuple[Mesh, Ints]:
    """What is left; for key points, and where no whole face is left, points alone."""
    points = np.flatnonzero(~lost)
    if not len(points):
        raise ValueError("the defect takes away the whole face; is it in the face frame, in mm?")
    if defect == "keypoints":
        points = points[np.argsort(-face.vertices[points, 2], kind="stable")]
        points = points[np.unique(keypoint_cells(face.vertices[points]), axis=0, return_index=True)[1]]
    elif (whole := np.all(~lost[face.faces], axis=1)).any():
        return face.submesh(whole)
    return Mesh(face.vertices[points], NO_FACES), points


def _pose(rng: np.random.Generator, settings: ScanSettings) -> Similarity:
    """A random pose, face frame (mm) -> scan frame and unit."""
    axis = unit(rng.normal(size=3))
    rotation = rotation_from_vector(axis * rng.uniform(0, settings.max_angle))
    shift = rng.uniform(-settings.max_shift_mm, settings.max_shift_mm, 3)
    return Similarity(scale=1 / MM_PER_UNIT[settings.unit]) @ Similarity(rotation, shift)


_OCTAHEDRON = np.array([[1, 0, 0], [-1, 0, 0], [0, 1, 0], [0, -1, 0], [0, 0, 1], [0, 0, -1]], float)
_OCTAHEDRON_FACES = np.array([[0, 2, 4], [2, 1, 4], [1, 3, 4], [3, 0, 4], [2, 0, 5], [1, 2, 5], [3, 1, 5], [0, 3, 5]])


def _blob(scan: Floats, rng: np.random.Generator) -> Mesh:
    """A small closed surface in front of the face, as scanners leave them floating."""
    centre = scan[rng.integers(len(scan))] + [0, 0, CLUTTER_DISTANCE_MM] + rng.normal(size=3) * CLUTTER_SPREAD_MM
    return Mesh(centre + _OCTAHEDRON * rng.uniform(*CLUTTER_RADIUS_MM, (6, 1)), _OCTAHEDRON_FACES)
