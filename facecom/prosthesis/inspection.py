"""The figures of a part that a clinician and a laboratory look at before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.evaluation.measures import asymmetry
from facecom.geometry.closest_points import Surface
from facecom.geometry.intersections import intersecting_edges
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.prosthesis.shell.axis import Undercuts, undercuts
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import Shell
from facecom.prosthesis.solid.booleans import extruded_wall, single_border, to_mesh
from facecom.provenance import Provenance

if TYPE_CHECKING:
    from facecom.prosthesis.settings import DesignSettings

NOTICE = "A design aid, not a medical device: a clinician decides what is made and worn."
OUTER, INNER, SIDE = 0, 1, 2


@dataclass(frozen=True)
class Spread:
    """Least, middle and largest of a set of lengths, mm."""

    min: float
    median: float
    max: float

    @classmethod
    def of(cls, values: Floats) -> Spread:
        """Summarise values; NaN where there are none."""
        if not len(values):
            return cls(*[float("nan")] * 3)
        return cls(float(values.min()), float(np.median(values)), float(values.max()))


@dataclass(frozen=True)
class Inspection:
    """What was found on a part; lengths in mm.

    notice : what the part is not
    wall, wall_by_region : thickness at the outer face over the cavity; rim : over the margin on healthy skin
    edge : thickness along the outer border
    margin : width of the margin along the outer border; less than asked for where the skin turns out of sight
    step : how far the outer border stands above the skin; gap : how far the inner face is from the skin there
    volume_mm3, mass_g, density_g_cm3 : of the part
    undercuts : for the withdrawal axis used; axis : in the face frame
    least_undercuts, least_axis : for the axis along which least catches
    front_undercuts : for the axis straight out of the face, to compare
    asymmetry_before_mm, asymmetry_after_mm : mean distance of the face to its mirror image, without the missing part
        and with it; asymmetry_part_mm : of the part alone
    shares : of the outer face's area that was measured, mirrored or made
    sigma_mm : standard deviation of the outer face where it was not measured
    relief_rms_mm : of the skin relief on what was made, NaN where there is none
    watertight, self_crossing_edges : of the shell
    overlap_mm3 : common volume of part and tissue
    """

    notice: str
    wall: Spread
    wall_by_region: Mapping[str, Spread]
    rim: Spread
    edge: Spread
    margin: Spread
    step: Spread
    gap: Spread
    volume_mm3: float
    mass_g: float
    density_g_cm3: float
    axis: tuple[float, float, float]
    undercuts: Undercuts
    least_axis: tuple[float, float, float]
    least_undercuts: Undercuts
    front_undercuts: Undercuts
    asymmetry_before_mm: float
    asymmetry_after_mm: float
    asymmetry_part_mm: float
    shares: Mapping[str, float]
    sigma_mm: Spread
    relief_rms_mm: float
    watertight: bool
    self_crossing_edges: int
    overlap_mm3: float

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Inspected:
    """The figures, and what each vertex of the part is.

    inspection : Inspection
    provenance : (V,) int, -1 where it is not the outer face; sigma_mm : (V,) float, NaN there
    thickness : (O,) float, at each vertex of the outer face
    """

    inspection: Inspection
    provenance: Ints
    sigma_mm: Floats
    thickness: Floats


def inspect_part(
    source: DesignSurface,
    shell: Shell,
    *,
    turn: Floats,
    least: Floats,
    settings: DesignSettings,
) -> Inspected:
    """Measure a part.

    Parameters
    ----------
    turn : (3, 3) rotation, face frame -> axis frame
    least : (3,) the axis along which least catches, face frame
    """
    part, outer = to_mesh(shell.solid), shell.outer
    kind = face_kinds(part, outer.mesh)
    thickness = wall_thickness(outer.mesh, part, kind == INNER)
    area = vertex_areas(outer.mesh.vertices, outer.mesh.faces)
    body, border = outer.inward > 1e-9, np.zeros(len(area), bool)
    border[outer.loop] = True
    face = source.merged.with_vertices(source.merged.vertices @ turn.T)
    skin = Surface(_beside(face, outer.mesh))
    provenance, sigma = _carried(source, outer.weights)
    names = _region_of(source, outer.mesh.vertices @ turn)
    seat = _seat(face, outer)
    flat = outer.mesh
    front = turn @ np.array([0.0, 0.0, 1.0])
    before, after, of_part = _asymmetries(source, outer.mesh.vertices[body] @ turn)
    volume = float(shell.solid.volume())
    inspection = Inspection(
        notice=NOTICE,
        wall=Spread.of(thickness[body]),
        wall_by_region={
            name: Spread.of(thickness[body & (names == name)]) for name in sorted(set(names[body].tolist()))
        },
        rim=Spread.of(thickness[~body]),
        edge=Spread.of(thickness[border]),
        margin=Spread.of(np.maximum(-outer.inward[outer.loop], 0.0)),
        step=Spread.of(skin.closest(flat.vertices[outer.loop]).distance),
        gap=Spread.of(_gaps(part, kind, flat, outer.loop, skin)),
        volume_mm3=volume,
        mass_g=volume / 1000.0 * settings.density_g_cm3,
        density_g_cm3=settings.density_g_cm3,
        axis=_three(turn[2]),
        undercuts=undercuts(flat, seat, np.array([0.0, 0.0, 1.0])),
        least_axis=_three(least),
        least_undercuts=undercuts(flat, seat, turn @ least),
        front_undercuts=undercuts(flat, seat, front),
        asymmetry_before_mm=before,
        asymmetry_after_mm=after,
        asymmetry_part_mm=of_part,
        shares={kind.label: float(area @ (provenance == kind) / area.sum()) for kind in Provenance},
        sigma_mm=Spread.of(sigma[provenance > 0]),
        relief_rms_mm=shell.relief_rms_mm,
        watertight=_watertight(part, volume),
        self_crossing_edges=len(intersecting_edges(part)),
        overlap_mm3=max(0.0, float((shell.solid ^ shell.tissue).volume())),
    )
    found, at = cKDTree(flat.vertices).query(part.vertices, distance_upper_bound=1e-4)
    on_outer = np.isfinite(found)
    at = np.where(on_outer, at, 0)
    return Inspected(
        inspection, np.where(on_outer, provenance[at], -1), np.where(on_outer, sigma[at], np.nan), thickness
    )


def _three(vector: Floats) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def face_kinds(part: Mesh, outer: Mesh, *, off_mm: float = 0.05, lean: float = 0.25) -> Ints:
    """Of each face of the part, whether it belongs to the outer face, the inner face, or the cut along the border.

    off_mm, lean : the cut's faces may lie so far from the border and lean so much (sine of the angle) from upright:
        where the part crossed itself at the border's foot the cut was drawn smooth, see `shell`
    """
    corners = part.vertices[part.faces]
    middle = corners.mean(1)
    on_outer = Surface(outer).closest(middle).distance < 1e-3
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    upright = np.abs(cross[:, 2]) < lean * np.linalg.norm(cross, axis=1)
    loop = outer.vertices[single_border(outer)] * [1.0, 1.0, 0.0]
    at_border = Surface(extruded_wall(loop)).closest(middle * [1.0, 1.0, 0.0]).distance < off_mm
    return np.where(on_outer, OUTER, np.where(upright & at_border, SIDE, INNER))


def wall_thickness(outer: Mesh, part: Mesh, inner: Bools) -> Floats:
    """Distance of each vertex of the outer face to the inner face, mm."""
    face, _ = part.submesh(inner)
    return Surface(face).closest(outer.vertices).distance


def _carried(source: DesignSurface, weights: Any) -> tuple[Ints, Floats]:
    """Provenance and sigma of each vertex of the outer face: the worst of what it is a mean of."""
    one = source.provenance[weights.indices]
    kind = np.maximum.reduceat(np.where(weights.data > 1e-6, one, 0), weights.indptr[:-1])
    return kind.astype(np.int64), np.asarray(weights @ source.sigma_mm)


def _region_of(source: DesignSurface, points: Floats) -> np.ndarray:
    template = source.template
    found = Surface(Mesh(source.face, template.faces[3])).closest(points)
    nearest = template.faces[3][found.faces, np.argmax(found.barycentric, axis=1)]
    return np.array(template.region_names)[template.region[nearest]]


def _beside(skin: Mesh, outer: Mesh, *, reach_mm: float = 15.0) -> Mesh:
    """The part of a skin in the box around the outer face: fine scans have a million triangles elsewhere."""
    low, high = outer.vertices.min(0) - reach_mm, outer.vertices.max(0) + reach_mm
    within = ((skin.vertices >= low) & (skin.vertices <= high)).all(1)
    return skin.submesh(np.asarray(within[skin.faces].any(1)))[0]


def _seat(skin: Mesh, outer: OuterSurface) -> Mesh:
    """The skin on which the margin lies, as the outer face's triangles show it."""
    on_skin = (outer.inward[outer.mesh.faces] <= 1e-9).all(1)
    return Mesh(np.asarray(outer.weights @ skin.vertices), outer.mesh.faces).submesh(np.asarray(on_skin))[0]


def _gaps(part: Mesh, kind: Ints, outer: Mesh, loop: Ints, skin: Surface) -> Floats:
    """Distance from the skin of the inner face's vertices under the outer border."""
    below = np.unique(part.faces[kind == INNER])
    beside = np.unique(part.faces[kind == SIDE])
    foot = np.intersect1d(below, beside)
    return skin.closest(part.vertices[foot]).distance if len(foot) else np.zeros(0)


def _asymmetries(source: DesignSurface, part: Floats) -> tuple[float, float, float]:
    """Mean asymmetry of what was measured on both sides, of the whole, and of the part."""
    template = source.template
    count = template.counts[2]
    face, mirror = source.face[:count], template.mirror[:count]
    missing = cKDTree(part).query(face)[0] < 3.0
    whole = asymmetry(face, mirror)
    kept = ~(missing | missing[mirror])
    number = np.cumsum(kept) - 1
    before = asymmetry(face[kept], number[mirror[kept]])
    near = np.hypot(face[:, 0], face[:, 1] - 10.0) < 90.0
    mean = lambda x: float(x.mean()) if len(x) else float("nan")  # noqa: E731
    return mean(before[near[kept]]), mean(whole[near]), mean(whole[missing])


def _watertight(part: Mesh, volume_mm3: float) -> bool:
    """Whether each edge has one face on either side of it, which run through it in opposite ways, around a volume."""
    start, end, base = part.faces.ravel(), np.roll(part.faces, -1, axis=1).ravel(), len(part.vertices)
    there, back = np.sort(start * base + end), np.sort(end * base + start)
    return bool(volume_mm3 > 0 and np.array_equal(there, back) and (np.diff(there) > 0).all())
