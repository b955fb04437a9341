"""Landmarks held against the scan before they decide its pose; what is wrong is named, never mended in silence.

Three slips have a pattern: another unit, the frame of another program (RAS for LPS: x and y negated), and the two sides
swapped. Each is tried: with three landmarks or more, the mean face is laid where they put it, and has to lie on the
scan. With fewer, the points themselves have to.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from facecom.completion.alignment import face_mask
from facecom.completion.types import Scan
from facecom.errors import AlignmentError
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, face_cross, vertex_normals
from facecom.io.landmark_names import LANDMARK_ALIASES, landmark_name
from facecom.model.template import COARSEST_LEVEL, Template
from facecom.scan.alignment import align_landmarks

UNIT_FACTORS: Mapping[float, str] = {
    1000.0: "in metres for a scan in millimetres",
    0.001: "in millimetres for a scan in metres",
    10.0: "in centimetres for a scan in millimetres",
    0.1: "in millimetres for a scan in centimetres",
    100.0: "in metres for a scan in centimetres",
    0.01: "in centimetres for a scan in metres",
    25.4: "in inches for a scan in millimetres",
    1 / 25.4: "in millimetres for a scan in inches",
}
"""What landmarks have to be multiplied by to lie on the scan, and what they then are."""
FREE_FACTORS: Mapping[float, str] = {
    factor: f"{1.0 / factor:g} times as large as the scan's"
    if factor < 1.0
    else f"{factor:g} times smaller than the scan's"
    for factor in UNIT_FACTORS
}
"""The same for a scan without a unit."""
FRAMES: tuple[tuple[Floats, str], ...] = ((np.ones(3), ""), (np.array([-1.0, -1.0, 1.0]), "RAS for LPS"))
FACE_RADIUS_MM = 80.0
"""Of the mean face that is laid on the scan: without scalp, ears and neck, which scans often lack."""
MOST_RMS_MM = 15.0
"""Between landmarks and those of the mean face, laid over each other; other people's are 4 to 8 mm off."""
LYING_MM, LYING_COSINE = 5.0, 0.85
"""So near to the scan, and turned as little against it, a vertex of the mean face lies on it. Of a person's scan that
lacks a nose or half of the face, half of the vertices do; in a wrong pose a quarter."""
ON_SCAN_MM = 10.0
"""So near to the scan a landmark lies on it."""
LEAST_SHARE = 0.35
"""Share of the mean face that must lie on the scan by an explanation; half of it where the landmarks are far off."""
BETTER = 1.4
"""How many times more of it than by the landmarks as they are."""
FAR_SHARE = 0.25
"""A landmark further from the surface, as a share of the scan's diagonal, belongs to something else: a missing part
stands off by a tenth."""
NAMED = 3
"""Landmarks that a message names."""


@dataclass(frozen=True)
class _Explanation:
    """A slip that would make the landmarks what they are: the points without it, and the sentence for it."""

    names: tuple[str, ...]
    points: Floats
    sentence: str


def checked_landmarks(landmarks: Mapping[str, Any] | None) -> dict[str, Floats]:
    """Landmarks as name -> (3,) float.

    Raises
    ------
    ValueError
        For an unknown name, with those that are known, and for what is no finite point.

    Examples
    --------
    >>> checked_landmarks({"nose_tip": [0, 0, float("nan")]})
    Traceback (most recent call last):
    ValueError: landmark nose_tip must be three finite numbers, got [0, 0, nan]
    """
    found: dict[str, Floats] = {}
    for name, point in (landmarks or {}).items():
        landmark_name(name)
        try:
            place = np.asarray(point, float)
        except (TypeError, ValueError, OverflowError):
            place = np.full(3, np.nan)
        if place.shape != (3,) or not np.isfinite(place).all():
            raise ValueError(f"landmark {name} must be three finite numbers, got {str(point)[:60]}")
        found[name] = place
    return found


def check_landmarks(
    landmarks: Mapping[str, Floats], scan: Scan, template: Template, *, with_scale: bool = False
) -> None:
    """Refuse landmarks that cannot belong to this scan.

    Parameters
    ----------
    landmarks : name -> (3,), mm, in the scan's own frame
    scan : Scan
    template : Template
    with_scale : whether the size of the scan is not known, so that the landmarks tell it too

    Raises
    ------
    ValueError
        When they lie far off its surface, or lie on it as another unit, frame or side would have them; says which.
    """
    if not landmarks:
        return
    names, points = tuple(landmarks), np.array(list(landmarks.values()), float)
    surface = scan.for_fit.surface
    distance = surface.closest(points).distance
    size = float(np.linalg.norm(np.ptp(scan.for_fit.mesh.vertices, axis=0)))
    far = bool(distance.max() > FAR_SHARE * size)

    def told(length: float) -> str:
        return f"{length / scan.mm_per_unit:.3g} of its units" if with_scale else f"{length:.0f} mm"

    given = _share_on_scan(names, points, surface, template, with_scale=with_scale)
    if given is None and not far:  # too few for a pose, and nothing speaks against them
        return
    found = [
        (share, explanation.sentence)
        for explanation in _explanations(names, points, with_scale=with_scale)
        if (share := _share_on_scan(explanation.names, explanation.points, surface, template, with_scale=with_scale))
        is not None
    ]
    if given is None:
        explanations = _explanations(names, points, with_scale=with_scale)
        found = [(1.0, e.sentence) for e in explanations if _lies(e.points, surface)]
    share, sentence = max(found, key=lambda pair: pair[0], default=(0.0, ""))
    if share >= (LEAST_SHARE / 2 if far else LEAST_SHARE) and share > BETTER * (given or 0.0):
        raise ValueError(
            f"the landmarks do not fit the scan: {_farthest(names, distance, told)}; they fit as {sentence}; "
            "write them anew"
        )
    if far and (given or 0.0) < LEAST_SHARE:  # of half a face the other half's landmarks may be named too
        raise ValueError(
            f"the landmarks do not fit the scan, which is {told(size)} from corner to corner: "
            f"{_farthest(names, distance, told)}; they must be in the scan's own frame and unit"
        )


def _explanations(names: tuple[str, ...], points: Floats, *, with_scale: bool) -> Iterator[_Explanation]:
    factors = FREE_FACTORS if with_scale else UNIT_FACTORS
    for sign, frame in FRAMES:
        for factor, unit in ((1.0, ""), *factors.items()):
            if frame or unit:
                said = " and ".join(word for word in (frame, f"numbers {unit}" if unit else "") if word)
                yield _Explanation(names, points * sign * factor, said)
    for swapped in {tuple(map(_other_side, names)), tuple(map(_other_word, names))} - {names}:
        yield _Explanation(swapped, points, "left and right swapped (right is the subject's right)")


def _other_word(name: str) -> str:
    """The same name with left for right: what a person swaps who thinks of the wrong side."""
    side, _, rest = name.partition("_")
    return {"left": f"right_{rest}", "right": f"left_{rest}"}.get(side, name)


def _other_side(name: str) -> str:
    """The landmark on the other side; itself on the midline."""
    full = LANDMARK_ALIASES.get(name, name)
    return _MIRRORED.get(full, full)


def _mirrored_names() -> dict[str, str]:
    def place(stem: str, count: int) -> dict[str, str]:
        return {f"{stem}_{k}": f"{stem}_{count + 1 - k}" for k in range(1, count + 1)}

    brows = {f"right_brow_{k}": f"left_brow_{6 - k}" for k in range(1, 6)}
    eyes = {f"right_eye_{k}": f"left_eye_{m}" for k, m in zip(range(1, 7), (4, 3, 2, 1, 6, 5), strict=True)}
    outer = {f"outer_lip_{k}": f"outer_lip_{m}" for k, m in enumerate((7, 6, 5, 4, 3, 2, 1, 12, 11, 10, 9, 8), start=1)}
    inner = {f"inner_lip_{k}": f"inner_lip_{m}" for k, m in enumerate((5, 4, 3, 2, 1, 8, 7, 6), start=1)}
    sides = brows | eyes
    sides |= {left: right for right, left in sides.items()}
    return place("jaw", 17) | place("nose_base", 5) | sides | outer | inner


_MIRRORED = _mirrored_names()


def _share_on_scan(
    names: tuple[str, ...], points: Floats, surface: Surface, template: Template, *, with_scale: bool
) -> float | None:
    """Share of the mean face that lies on the scan where the landmarks put it; 0 where they are no face's.

    None of fewer than three landmarks, or of some on one line. With scale they also tell how large a face is.
    """
    target = template.vertices[[template.landmark_index(name) for name in names]]
    try:
        pose = align_landmarks(points, target, with_scale=with_scale)
    except AlignmentError:
        return None
    if np.sqrt(np.mean(np.sum((pose.apply(points) - target) ** 2, axis=1))) > MOST_RMS_MM:
        return 0.0
    proper = face_mask(template, level=COARSEST_LEVEL, radius_mm=FACE_RADIUS_MM)
    mean = template.mesh(COARSEST_LEVEL)
    normals = vertex_normals(mean.vertices, mean.faces)[proper]
    to_scan = pose.inverse()
    found = surface.closest(to_scan.apply(mean.vertices[proper]))
    cosine = np.abs(np.sum(_normals(surface, found.faces) * to_scan.rotate(normals), axis=1))
    return float(np.mean((found.distance * pose.scale < LYING_MM) & (cosine > LYING_COSINE)))


def _normals(surface: Surface, faces: Ints) -> Floats:
    cross = face_cross(surface.mesh.vertices, surface.mesh.faces[faces])
    return cross / np.maximum(np.linalg.norm(cross, axis=1, keepdims=True), 1e-12)


def _lies(points: Floats, surface: Surface) -> bool:
    return bool(surface.closest(points).distance.max() < ON_SCAN_MM)


def _farthest(names: tuple[str, ...], distance: Floats, told: Callable[[float], str]) -> str:
    worst = np.argsort(-distance, kind="stable")[:NAMED]
    named = ", ".join(f"{names[k]} {told(distance[k])}" for k in worst)
    return f"farthest off its surface lie {named}"
