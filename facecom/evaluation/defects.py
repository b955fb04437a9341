"""Known defects, cut into complete faces: the truth behind a partial scan is then known.

All shapes are given in the face frame: mm, origin at the nose tip, x to the subject's left, y up, z out of the face.
They fit adult faces; their rims are wavy, as a scanner and a surgeon leave them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike

from facecom.geometry.mesh import Bools, Floats, Ints

# The sixteen kinds of the results figure of FaceCom (arXiv 2406.02074), then kinds of this project.
FaceComDefect = Literal[
    "nose_box",
    "eye",
    "mouth_corner",
    "cheek",
    "mouth_box",
    "nasolabial",
    "eye_band",
    "half",
    "lower_third",
    "central_slab",
    "diagonal_band",
    "only_chin",
    "scattered",
    "strips",
    "keypoints",
    "nose_and_glabella",
]
OwnDefect = Literal["nose", "orbit", "cheek_wide", "mouth", "chin", "brow", "nose_orbit", "holes", "ear", "one_sided"]
Defect = FaceComDefect | OwnDefect
FACECOM_DEFECTS: tuple[FaceComDefect, ...] = get_args(FaceComDefect)
OWN_DEFECTS: tuple[OwnDefect, ...] = get_args(OwnDefect)
DEFECTS: tuple[Defect, ...] = (*FACECOM_DEFECTS, *OWN_DEFECTS)

SignedDistance = Callable[[Floats], Floats]
"""Signed distance of (N, 3) points to the boundary of a shape, mm, negative where the shape removes the surface."""
WAVE_COUNT = 6
"""Plane waves whose sum is the waviness of a rim."""
WAVE_STRETCH = (0.7, 1.6)
"""Lengths of the waves, in units of the given one."""
SCATTERED_COUNT, SCATTERED_RADIUS_MM = 14, (6, 12)
"""Number of scattered holes and their radii."""
SCATTERED_X_MM, SCATTERED_Y_MM = (-55, 55), (-75, 80)
"""Where their middles lie."""
KEYPOINT_SPACING_MM, KEYPOINT_RADIUS_MM = 14.0, 2.0
"""Spacing of the lattice of key points over a face and radius of the spot that is left at each."""
FACE_HALF_AXES_MM, FACE_BACK_MM = (62, 82), -100
"""Half axes in x and y of the ellipse on which key points lie, and the z behind which there are none."""


@dataclass(frozen=True)
class RimWaves:
    """How wavy the rim of a defect is: height and length of its waves, both mm."""

    height_mm: float = 1.5
    length_mm: float = 18.0


def defect_mask(points: ArrayLike, defect: Defect, *, seed: int, waves: RimWaves | None = None) -> Bools:
    """Which points a defect removes.

    Parameters
    ----------
    points : (N, 3) float, mm, face frame
    defect : one of `DEFECTS`
    seed : int
        Decides the waves of the rim and the places of scattered holes; the same for any set of points.
    waves : RimWaves, as `RimWaves()` unless given

    Returns
    -------
    (N,) bool

    Raises
    ------
    ValueError
        When `defect` is not one of `DEFECTS`; the message lists them.

    Examples
    --------
    >>> defect_mask([[0, 5, -5], [60, 0, -60]], "nose", seed=0).tolist()
    [True, False]
    """
    if defect not in DEFECTS:
        raise ValueError(f"unknown defect {defect!r}; expected one of {', '.join(DEFECTS)}")
    where = np.asarray(points, float)
    rng = np.random.default_rng(seed)
    if defect == "keypoints":
        return _outside_keypoints(where)
    rim = _waviness(rng, waves or RimWaves())
    shape = _scattered(rng) if defect == "scattered" else _SHAPES[defect]
    return shape(where) + rim(where) < 0


def _waviness(rng: np.random.Generator, waves: RimWaves) -> SignedDistance:
    """A smooth random function of about the given height: a sum of plane waves in random directions."""
    directions = rng.normal(size=(WAVE_COUNT, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    numbers = 2 * np.pi / (waves.length_mm * rng.uniform(*WAVE_STRETCH, WAVE_COUNT))
    phases = rng.uniform(0, 2 * np.pi, WAVE_COUNT)
    scale = waves.height_mm * np.sqrt(2 / WAVE_COUNT)
    return lambda p: scale * np.sin(p @ (directions * numbers[:, None]).T + phases).sum(1)


def _ball(x: float, y: float, z: float, radius: float) -> SignedDistance:
    return lambda p: np.linalg.norm(p - [x, y, z], axis=1) - radius


def _box(low: tuple[float, float, float], high: tuple[float, float, float]) -> SignedDistance:
    centre, half = np.add(low, high) / 2, np.subtract(high, low) / 2

    def distance(p: Floats) -> Floats:
        excess = np.abs(p - centre) - half
        return np.linalg.norm(np.maximum(excess, 0), axis=1) + np.minimum(excess.max(1), 0)

    return distance


def _slab(normal: tuple[float, float, float], offset: float, half_width: float) -> SignedDistance:
    """A slab: what lies within `half_width` of a plane."""
    n = np.asarray(normal) / np.linalg.norm(normal)
    return lambda p: np.abs(p @ n - offset) - half_width


def _half_space(normal: tuple[float, float, float], offset: float) -> SignedDistance:
    """A half-space: what lies on the far side of a plane."""
    n = np.asarray(normal) / np.linalg.norm(normal)
    return lambda p: offset - p @ n


def _union(*shapes: SignedDistance) -> SignedDistance:
    return lambda p: np.min([shape(p) for shape in shapes], axis=0)


def _intersection(*shapes: SignedDistance) -> SignedDistance:
    return lambda p: np.max([shape(p) for shape in shapes], axis=0)


def _scattered(rng: np.random.Generator) -> SignedDistance:
    """Small holes all over the face."""
    count = SCATTERED_COUNT
    x, y = rng.uniform(*SCATTERED_X_MM, count), rng.uniform(*SCATTERED_Y_MM, count)
    z = -0.011 * (x**2 + 0.4 * y**2) - 12  # a paraboloid near the surface of adult faces
    radius = rng.uniform(*SCATTERED_RADIUS_MM, count)
    return _union(*[_ball(*hole) for hole in zip(x, y, z, radius, strict=True)])


def keypoint_cells(points: Floats) -> Ints:
    """The cell of a lattice over the face that each point lies in, (N, 2)."""
    return np.round(points[:, :2] / KEYPOINT_SPACING_MM).astype(np.int64)


def _outside_keypoints(points: Floats) -> Bools:
    """All but a small spot in each cell of the lattice: about as many spots as a usual set has landmarks."""
    distance = np.linalg.norm(points[:, :2] - keypoint_cells(points) * KEYPOINT_SPACING_MM, axis=1)
    on_face = (np.linalg.norm(points[:, :2] / FACE_HALF_AXES_MM, axis=1) < 1) & (points[:, 2] > FACE_BACK_MM)
    return ~on_face | (distance > KEYPOINT_RADIUS_MM)


_FRONT = _half_space((0, 0, 1), -75)
_SHAPES: dict[str, SignedDistance] = {
    "nose_box": _box((-22, -16, -60), (22, 42, 20)),
    "eye": _box((12, 24, -70), (56, 50, 10)),
    "mouth_corner": _ball(25, -34, -22, 16),
    "cheek": _ball(40, -8, -32, 19),
    "mouth_box": _box((-34, -52, -70), (34, -18, 20)),
    "nasolabial": _box((10, -34, -60), (30, 10, 20)),
    "eye_band": _box((-62, 22, -90), (62, 56, 30)),
    "half": _half_space((1, 0, 0), 2),
    "lower_third": _intersection(_half_space((0, -1, 0.15), 14), _FRONT),
    "central_slab": _intersection(_slab((1, 0, 0), 0, 17), _FRONT),
    "diagonal_band": _intersection(_slab((1, 1, 0), 0, 18), _FRONT),
    "only_chin": _half_space((0, 1, 0), -46),
    "strips": _union(_box((-62, 28, -90), (62, 46, 30)), _box((-40, -42, -70), (40, -24, 20))),
    "nose_and_glabella": _union(_ball(0, 6, -8, 28), _ball(-6, 38, -20, 19)),
    "nose": _ball(0, 8, -8, 29),
    "orbit": _ball(33, 38, -26, 26),
    "cheek_wide": _ball(37, -20, -30, 32),
    "mouth": _ball(0, -33, -14, 30),
    "chin": _ball(0, -66, -24, 33),
    "brow": _ball(0, 70, -24, 37),
    "nose_orbit": _union(_ball(0, 8, -8, 27), _ball(-33, 38, -26, 26)),
    "holes": _union(_ball(31, 0, -31, 9), _ball(-38, -28, -38, 8), _ball(10, 62, -18, 10), _ball(-12, -58, -18, 8)),
    "ear": _box((48, -35, -160), (110, 65, -62)),
    # What a depth camera sees from the subject's right.
    "one_sided": _half_space((1, 0, 0.35), 6),
}
