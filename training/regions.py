"""Regions, masks and landmarks of the left half, drawn on the ICT neutral."""

from __future__ import annotations

import numpy as np
from matplotlib.path import Path as Outline
from scipy.interpolate import PchipInterpolator
from scipy.spatial import cKDTree
from shapely import MultiPoint, Polygon, contains_xy

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, vertex_adjacency, vertex_normals
from training.half_disc import HalfDisc
from training.ict_surface import Ict
from training.nested_mesh import HalfMesh

REGION_NAMES = (
    "skin",
    "nose",
    "l_eye",
    "r_eye",
    "l_brow",
    "r_brow",
    "l_ear",
    "r_ear",
    "mouth",
    "u_lip",
    "l_lip",
    "neck",
)
SEAM_PIECE = 5

# outlines in the ICT frame, mm; front: (x, y) of the left half, side: (z, y)
NOSE_FRONT = (
    (-1, 42),
    (6, 41),
    (8.5, 33),
    (10, 24),
    (15, 13),
    (19.5, 5),
    (20.5, -3),
    (18.5, -9.5),
    (12, -12),
    (6, -13.5),
    (-1, -14.5),
)
EAR_SIDE = (
    (8, 38),
    (0, 47),
    (-12, 52),
    (-27, 48),
    (-31, 34),
    (-27, 14),
    (-16, -6),
    (-4, -19),
    (6, -19),
    (8, -6),
    (10, 8),
    (12, 20),
)
NECK_SIDE = (
    (-60, -10),
    (-14, -20),
    (4, -32),
    (22, -50),
    (45, -70),
    (70, -79),
    (92, -86),
    (110, -96),
    (110, -200),
    (-60, -200),
)
SCALP_SIDE = (
    (120, 100),
    (84, 99),
    (66, 92),
    (52, 74),
    (30, 62),
    (20, 44),
    (10, 46),
    (-4, 56),
    (-20, 56),
    (-27, 40),
    (-24, 10),
    (-14, -16),
    (-60, -12),
    (-60, 200),
    (120, 200),
)
BROW_HALF_WIDTH_MM = 4.5
EAR_GAP_MM = 4.0
LID_UP_MM, LID_DOWN_MM = 6.0, 5.0


def half_regions(
    mesh: HalfMesh, vertices: np.ndarray, disc: HalfDisc, rows: np.ndarray, ict: Ict
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Region index (left names) and masks of each finest vertex of the half; `vertices` in the ICT frame."""
    region = np.zeros(len(vertices), int)
    marks = ict.vertices[ict.landmarks]
    number = REGION_NAMES.index
    front, side = vertices[:, :2], vertices[:, [2, 1]]
    ear = _ear(vertices, mesh)
    neck = _inside(NECK_SIDE, side) & ~ear
    region[neck] = number("neck")
    region[ear] = number("l_ear")
    region[_inside(NOSE_FRONT, front) & (vertices[:, 2] > 85)] = number("nose")
    region[_distance(_fine_line(marks[22:27]), vertices) < BROW_HALF_WIDTH_MM] = number("l_brow")
    eye = rows @ disc.labels["eye_l"] > 1e-6
    eye &= ~np.array([bool({3, 4} & set(at)) for at in mesh.on])
    region[eye] = number("l_eye")
    upper, lower, seam = _lips(mesh, vertices, disc, marks)
    region[upper], region[lower], region[seam] = number("u_lip"), number("l_lip"), number("mouth")
    lid = vertices[[bool({3, 4} & set(at)) for at in mesh.on]]
    distance, nearest = cKDTree(lid).query(vertices)
    above = vertices[:, 1] > marks[[42, 45], 1].mean()
    eyelids = (distance < np.where(above, LID_UP_MM, LID_DOWN_MM)) & ~eye & (region == 0) & (vertices[:, 2] > 80)
    nostrils = rows @ disc.labels["nostril"] > 0.5
    scalp = _inside(SCALP_SIDE, side) & (region == 0)
    return region, {"scalp": scalp, "eyelids": eyelids, "nostrils": nostrils}


def _inside(outline: tuple[tuple[float, float], ...], points: np.ndarray) -> np.ndarray:
    return Outline(outline).contains_points(points)


def _fine_line(points: np.ndarray, *, per_step: int = 12) -> np.ndarray:
    at = np.linspace(0, len(points) - 1, per_step * (len(points) - 1) + 1)
    return np.stack([np.interp(at, np.arange(len(points)), points[:, k]) for k in range(3)], axis=1)


def _distance(line: np.ndarray, points: np.ndarray) -> np.ndarray:
    return cKDTree(line).query(points)[0]


def _ear(vertices: np.ndarray, mesh: HalfMesh) -> np.ndarray:
    """Inside the side outline and either seen from the side or facing the head; closed in the flat map.

    The strip behind the helix is neither; it lies between parts that are, so closing by `EAR_GAP_MM` takes it in.
    """
    normal = vertex_normals(vertices, mesh.faces)
    inside = _inside(EAR_SIDE, vertices[:, [2, 1]])
    start = vertices + 0.3 * normal
    hits = Surface(Mesh(vertices, mesh.faces)).cast(start, np.tile([1.0, 0, 0], (len(start), 1)))
    ear = inside & (~np.isfinite(hits.depth) | (normal[:, 0] < 0.0) | (vertices[:, 0] > 77))
    adjacency = vertex_adjacency(mesh.faces, len(vertices))
    degree = np.asarray(adjacency.sum(1)).ravel()
    for _ in range(8):
        ear = (adjacency @ ear + ear) > 0.5 * (degree + 1)
    closed = MultiPoint(mesh.plane[ear]).buffer(EAR_GAP_MM).buffer(-EAR_GAP_MM)
    pieces = closed.geoms if hasattr(closed, "geoms") else [closed]
    outline = Polygon(max(pieces, key=lambda piece: piece.area).exterior)
    return contains_xy(outline, *mesh.plane.T) | (ear & contains_xy(outline.buffer(0.5), *mesh.plane.T))


def _lips(
    mesh: HalfMesh, vertices: np.ndarray, disc: HalfDisc, marks: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Upper lip, lower lip and seam masks from the outer lip landmarks and the seam curve."""
    outer = marks[[51, 52, 53, 54, 55, 56, 57]]
    at = np.arange(len(outer))
    fine = PchipInterpolator(at, outer[:, :2])(np.linspace(0, len(outer) - 1, 120))
    outline = np.concatenate([fine, [[-5, fine[-1, 1]], [-5, fine[0, 1]]]])
    inside = _inside(tuple(map(tuple, outline)), vertices[:, :2]) & (vertices[:, 2] > 95)
    seam = np.array([SEAM_PIECE in at for at in mesh.on])
    line = disc.plane[disc.labels["seam"]]
    line = line[np.argsort(disc.vertices[disc.labels["seam"], 0])]
    ends = np.concatenate([line, line[-1:] + 20 * (line[-1:] - line[-8:-7])])
    middle = 0.5 * (ends[1:] + ends[:-1])
    near = cKDTree(middle).query(mesh.plane)[1]
    along, off = (ends[1:] - ends[:-1])[near], mesh.plane - middle[near]
    upper = along[:, 0] * off[:, 1] - along[:, 1] * off[:, 0] > 0
    above = vertices[inside & upper, 1].mean() > vertices[inside & ~upper, 1].mean()
    upper = upper if above else ~upper
    return inside & upper & ~seam, inside & ~upper & ~seam, seam


def half_landmarks(vertices: np.ndarray, region: np.ndarray, midline: np.ndarray, ict: Ict) -> dict[int, int]:
    """Half vertex for each of the 68 points that lies on the left or on the midline (0-based iBUG number)."""
    marks = ict.vertices[ict.landmarks]
    out: dict[int, int] = {}
    taken = np.zeros(len(vertices), bool)
    wanted = {61: "u_lip", 62: "u_lip", 63: "u_lip", 65: "l_lip", 66: "l_lip", 67: "l_lip", 64: "mouth"}
    for number in np.flatnonzero(marks[:, 0] > -1e-6).tolist():
        allowed = ~taken & (midline == (abs(marks[number, 0]) < 1e-6))
        if number in wanted:
            allowed &= region == REGION_NAMES.index(wanted[number])
        candidates = np.flatnonzero(allowed)
        chosen = candidates[np.argmin(np.linalg.norm(vertices[candidates] - marks[number], axis=1))]
        out[number] = int(chosen)
        taken[chosen] = True
    return out
