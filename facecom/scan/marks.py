"""Marks: parts of a scan's surface that somebody painted or outlined."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_lengths, face_areas, face_components, read_only
from facecom.geometry.transform import Similarity

SPACING_REACH = 0.75
"""A painted point marks what lies within this many times the distance to its neighbour."""
EDGE_REACH = 0.75
"""And at least what lies within this share of an edge of the scan."""
MOST_REACH_MM = 4.0
"""Sparse points mark no more than this around them: they are dots then, and no paint."""
SURFACE_REACH_MM = 1.5
"""A painted surface marks what lies this near to it: it was made on the scan, or on a copy with fewer triangles."""
FAR_MM, LEAST_NEAR_SHARE = 8.0, 0.5
"""Marks of which fewer than half lie this near to the scan belong to another scan, frame or unit."""
ISLAND_MM2 = 80.0
"""What paint encloses and left out is painted too where it is smaller."""
OUTLINE_DEPTH_MM = 45.0
"""How far behind its outline, seen from the front, a defect reaches: the depth of a nasal cavity."""


@dataclass(frozen=True, eq=False)
class Marks:
    """Where a scan was marked, in its own frame and unit; a triangle is marked where any of the four says so.

    Parameters
    ----------
    points : (N, 3) float, painted points
    faces : (F, 3) int, triangles between them where a surface was painted
    spheres : (M, 4) float, centres and radii
    outlines : closed polygons, (K, 3) float each, whose inside is marked as it is seen from the front of the face
    regions : names of parts of a face
    """

    points: Floats = field(default_factory=lambda: np.zeros((0, 3)))
    faces: Ints = field(default_factory=lambda: np.zeros((0, 3), np.int64))
    spheres: Floats = field(default_factory=lambda: np.zeros((0, 4)))
    outlines: tuple[Floats, ...] = ()
    regions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name, dtype, columns in (("points", np.float64, 3), ("faces", np.int64, 3), ("spheres", np.float64, 4)):
            object.__setattr__(self, name, read_only(getattr(self, name), dtype, columns))
        object.__setattr__(self, "outlines", tuple(read_only(line, np.float64, 3) for line in self.outlines))
        if not all(np.isfinite(part).all() for part in (self.points, self.spheres, *self.outlines)):
            raise ValueError("marks must be finite numbers; check the file or array that they come from")
        if len(self.spheres) and self.spheres[:, 3].min() <= 0:
            raise ValueError(f"the radius of a sphere must be positive, got {self.spheres[:, 3].min():g}")
        if any(len(line) < 3 for line in self.outlines):
            raise ValueError("an outline needs three points or more")

    @property
    def need_pose(self) -> bool:
        """Whether some of them can be placed on the scan only when it is known where the face is."""
        return bool(self.outlines or self.regions)

    @property
    def empty(self) -> bool:
        """Whether nothing is marked."""
        return not (len(self.points) or len(self.spheres) or self.need_pose)

    def __add__(self, other: Marks) -> Marks:
        """Both together."""
        return replace(
            self,
            points=np.concatenate([self.points, other.points]),
            faces=np.concatenate([self.faces, other.faces + len(self.points)]),
            spheres=np.concatenate([self.spheres, other.spheres]),
            outlines=self.outlines + other.outlines,
            regions=self.regions + other.regions,
        )


def painted_faces(scan: Mesh, marks: Marks, *, mm_per_unit: float) -> Bools:
    """Triangles (F,) of a scan under painted points, painted surfaces and spheres.

    Parameters
    ----------
    scan : Mesh with faces, in its own unit
    marks : Marks, in the same frame and unit; outlines and regions are left out, see `outlined_faces`
    mm_per_unit : length of the unit

    Raises
    ------
    ValueError
        When the points or spheres lie away from the scan.

    Examples
    --------
    >>> k = np.arange(4)
    >>> strip = Mesh([[x, y, 0] for x in range(5) for y in (0, 1)], [[2 * n, 2 * n + 2, 2 * n + 1] for n in k])
    >>> painted_faces(strip, Marks(points=[[0, 0, 0], [0, 1, 0], [1, 0, 0]]), mm_per_unit=30.0).tolist()
    [True, False, False, False]
    """
    chosen = np.zeros(len(scan.vertices), bool)
    if len(marks.points):
        distance, reach = _distance_to_paint(scan, marks, mm_per_unit)
        _check_near(scan, marks.points, mm_per_unit)
        chosen |= distance <= reach
    for centre_and_radius in marks.spheres:
        within = np.linalg.norm(scan.vertices - centre_and_radius[:3], axis=1) <= centre_and_radius[3]
        if not within.any():
            raise ValueError(
                f"a marked sphere about {centre_and_radius[:3].round(3).tolist()} holds nothing of the scan; "
                "marks are given in the scan's own frame and unit"
            )
        chosen |= within
    return filled_islands(scan, chosen[scan.faces].sum(axis=1) >= 2, mm_per_unit=mm_per_unit)


def _distance_to_paint(scan: Mesh, marks: Marks, mm_per_unit: float) -> tuple[Floats, float]:
    """Distance of the scan's vertices to the paint, (V,), and how near counts as painted."""
    edge = EDGE_REACH * float(np.median(edge_lengths(scan)))
    if len(marks.faces):
        painted = Mesh(marks.points, marks.faces)
        return Surface(painted).closest(scan.vertices).distance, max(edge, SURFACE_REACH_MM / mm_per_unit)
    tree = cKDTree(marks.points)
    spacing = float(np.median(tree.query(marks.points, k=2)[0][:, 1])) if len(marks.points) > 1 else 0.0
    reach = max(edge, min(SPACING_REACH * spacing, MOST_REACH_MM / mm_per_unit))
    return tree.query(scan.vertices, distance_upper_bound=1.01 * reach)[0], reach


def _check_near(scan: Mesh, points: Floats, mm_per_unit: float) -> None:
    distance = cKDTree(scan.vertices).query(points)[0] * mm_per_unit
    if (distance < FAR_MM).mean() < LEAST_NEAR_SHARE:
        raise ValueError(
            f"the marks lie {np.median(distance):,.0f} mm from the scan (median); they must be in the scan's own frame "
            "and unit"
        )


def filled_islands(scan: Mesh, marked: Bools, *, mm_per_unit: float) -> Bools:
    """The marked triangles and small islands of others that they enclose, (F,)."""
    rest = np.flatnonzero(~marked)
    if not len(rest) or not marked.any():
        return marked
    label = face_components(scan.faces[rest])
    area = np.bincount(label, face_areas(Mesh(scan.vertices, scan.faces[rest]))) * mm_per_unit**2
    touching = np.zeros(len(scan.vertices), bool)
    touching[scan.faces[marked]] = True
    touches = np.bincount(label, touching[scan.faces[rest]].any(axis=1)) > 0
    out = marked.copy()
    out[rest[((area < ISLAND_MM2) & touches)[label]]] = True
    return out


def outlined_faces(scan: Mesh, outlines: tuple[Floats, ...], pose: Similarity) -> Bools:
    """Triangles (F,) inside closed outlines, as they are seen from the front of the face.

    Parameters
    ----------
    scan : Mesh, in its own frame and unit
    outlines : polygons (K, 3), in the same frame and unit
    pose : from there to the face frame, mm
    """
    from shapely import contains_xy, polygons

    centres = pose.apply(scan.vertices)[scan.faces].mean(axis=1)
    marked = np.zeros(len(scan.faces), bool)
    for outline in outlines:
        line = pose.apply(outline)
        area = polygons(line[:, :2]).buffer(0.0)
        marked |= contains_xy(area, centres[:, 0], centres[:, 1]) & (
            centres[:, 2] > line[:, 2].min() - OUTLINE_DEPTH_MM
        )
    return marked
