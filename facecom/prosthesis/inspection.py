"""The measures of a part that a clinician and a laboratory look at before it is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.regions import FINEST_LEVEL
from facecom.evaluation.measures import asymmetry
from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.prosthesis.checks.part_check import PartCheck
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.prosthesis.settings import DesignSettings
from facecom.prosthesis.shell.axis import Undercuts, undercuts
from facecom.prosthesis.shell.face_kinds import INNER, SIDE, classify_faces, wall_thickness
from facecom.prosthesis.shell.outer_surface import OuterSurface
from facecom.prosthesis.shell.shell import Shell
from facecom.prosthesis.shell.trimming import Cut
from facecom.prosthesis.solid.booleans import to_mesh
from facecom.provenance import Provenance

NOTICE = "A design aid, not a medical device: a clinician decides what is made and worn."
ON_OUTER_MM = 1e-4
"""A vertex of the part is one of the outer face within this distance."""
LEAST_WEIGHT = 1e-6
"""A vertex takes the provenance of those that it is a mean of by more than this."""
SYMMETRY_LEVEL = 2
"""Level of the template at which asymmetry is measured."""
SYMMETRY_CENTRE_Y_MM, SYMMETRY_RADIUS_MM = 10.0, 90.0
"""The disc of the face, seen from the front, on which asymmetry is measured."""
MISSING_WITHIN_MM = 3.0
"""A vertex of the face belongs to the part within this distance."""


@dataclass(frozen=True)
class Spread:
    """Least, middle and greatest of a set of lengths, mm.

    Examples
    --------
    >>> Spread.of(np.array([3.0, 1.0, 2.0]))
    Spread(min=1.0, median=2.0, max=3.0)
    """

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
    """What was measured on a part; lengths in mm.

    Parameters
    ----------
    notice : what the part is not
    wall, wall_by_region : thickness at the outer face over the cavity
    rim : thickness over the margin on healthy skin
    edge : thickness along the outer border
    margin : width of the margin along the outer border; less than asked for where the skin turns out of sight
    step : how far the outer border stands above the skin
    clearance : distance of the intaglio from the skin there
    volume_mm3, mass_g, density_g_cm3 : of the part
    axis, undercuts : the withdrawal axis used, in the face frame, and the undercuts along it
    least_axis, least_undercuts : the axis with the least undercuts, and these
    front_undercuts : for the axis straight out of the face, to compare
    asymmetry_before_mm, asymmetry_after_mm : mean distance of the face to its mirror image, without the missing part
        and with it
    asymmetry_part_mm : of the part alone
    shares : shares of the outer face's area by provenance
    sigma_mm : standard deviation of the outer face where it was not observed
    relief_rms_mm : of the skin relief on the patch, NaN where there is none
    watertight, self_intersecting_edges : of the part's file, read again
    overlap_mm3 : common volume of the part and the height field of the tissue that it was carved with
    cuts : tissue that has to be cut away before the part fits, the largest first; none unless `trim` was asked for
    check : PartCheck, against the raw scan, or what is left of it; see `facecom.prosthesis.check_part`
    """

    notice: str
    wall: Spread
    wall_by_region: Mapping[str, Spread]
    rim: Spread
    edge: Spread
    margin: Spread
    step: Spread
    clearance: Spread
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
    self_intersecting_edges: int
    overlap_mm3: float
    cuts: tuple[Cut, ...]
    check: PartCheck

    def to_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; those of the check beside the others."""
        own = asdict(self)
        del own["check"]
        return own | self.check.to_dict()


@dataclass(frozen=True, eq=False)
class Inspected:
    """The measures of a part, and what each of its vertices is.

    Parameters
    ----------
    inspection : Inspection
    provenance : (V,) int, a `Provenance`, -1 where a vertex is not on the outer face
    sigma_mm : (V,) float, NaN there
    """

    inspection: Inspection
    provenance: Ints
    sigma_mm: Floats


def inspect_part(
    source: DesignSurface,
    shell: Shell,
    *,
    check: PartCheck,
    cuts: tuple[Cut, ...] = (),
    rotation: Floats,
    least_axis: Floats,
    settings: DesignSettings,
) -> Inspected:
    """Measure a part.

    Parameters
    ----------
    source : DesignSurface that it was designed on
    shell : Shell
    check : PartCheck, of the part in its place
    cuts : that have to be made for it
    rotation : (3, 3) float, face frame -> axis frame
    least_axis : (3,) float, unit, the axis with the least undercuts, face frame
    settings : DesignSettings
    """
    part, outer = to_mesh(shell.solid), shell.outer
    provenance, sigma = _outer_provenance(source, outer.weights)
    area = vertex_areas(outer.mesh.vertices, outer.mesh.faces)
    volume = float(shell.solid.volume())
    inspection = Inspection(
        notice=NOTICE,
        volume_mm3=volume,
        mass_g=volume / 1000.0 * settings.density_g_cm3,
        density_g_cm3=settings.density_g_cm3,
        shares={kind.label: float(area @ (provenance == kind) / area.sum()) for kind in Provenance},
        sigma_mm=Spread.of(sigma[provenance > 0]),
        relief_rms_mm=shell.relief_rms_mm,
        watertight=check.watertight,
        self_intersecting_edges=check.self_intersections,
        overlap_mm3=max(0.0, float((shell.solid ^ shell.tissue).volume())),
        cuts=cuts,
        check=check,
        **_lengths(source, part, outer, rotation),
        **_undercut_measures(source, outer, rotation, least_axis),
        **_asymmetries(source, outer.mesh.vertices[_over_cavity(outer)] @ rotation),
    )
    distance, at = cKDTree(outer.mesh.vertices).query(part.vertices, distance_upper_bound=ON_OUTER_MM)
    on_outer = np.isfinite(distance)
    at = np.where(on_outer, at, 0)
    return Inspected(inspection, np.where(on_outer, provenance[at], -1), np.where(on_outer, sigma[at], np.nan))


def _over_cavity(outer: OuterSurface) -> Bools:
    """Vertices of the outer face over the defect, (V,)."""
    return np.asarray(outer.defect_distance > 1e-9)


def _lengths(source: DesignSurface, part: Mesh, outer: OuterSurface, rotation: Floats) -> dict[str, Any]:
    """Thickness, width of the margin, step and clearance."""
    kind = classify_faces(part, outer.mesh)
    thickness = wall_thickness(outer.mesh, part, kind == INNER)
    over_cavity, border = _over_cavity(outer), outer.border
    regions = _region_names(source, outer.mesh.vertices @ rotation)
    skin = Surface(_crop_around(_in_axis_frame(source, rotation), outer.mesh))
    return {
        "wall": Spread.of(thickness[over_cavity]),
        "wall_by_region": {
            name: Spread.of(thickness[over_cavity & (regions == name)])
            for name in sorted(set(regions[over_cavity].tolist()))
        },
        "rim": Spread.of(thickness[~over_cavity]),
        "edge": Spread.of(thickness[np.unique(border)]),
        "margin": Spread.of(np.maximum(-outer.defect_distance[border], 0.0)),
        "step": Spread.of(skin.closest(outer.mesh.vertices[border]).distance),
        "clearance": Spread.of(_clearances(part, kind, skin)),
    }


def _undercut_measures(
    source: DesignSurface, outer: OuterSurface, rotation: Floats, least_axis: Floats
) -> dict[str, Any]:
    """The axes and their undercuts."""
    seat, up = _seat(_in_axis_frame(source, rotation), outer), np.array([0.0, 0.0, 1.0])
    return {
        "axis": _triple(rotation[2]),
        "undercuts": undercuts(outer.mesh, seat, up),
        "least_axis": _triple(least_axis),
        "least_undercuts": undercuts(outer.mesh, seat, rotation @ least_axis),
        "front_undercuts": undercuts(outer.mesh, seat, rotation @ up),
    }


def _triple(vector: Floats) -> tuple[float, float, float]:
    x, y, z = vector.tolist()
    return x, y, z


def _in_axis_frame(source: DesignSurface, rotation: Floats) -> Mesh:
    return source.merged.with_vertices(source.merged.vertices @ rotation.T)


def _outer_provenance(source: DesignSurface, weights: Any) -> tuple[Ints, Floats]:
    """Provenance and sigma of each vertex of the outer face: the highest of those that it is a mean of."""
    values = source.provenance[weights.indices]
    kind = np.maximum.reduceat(np.where(weights.data > LEAST_WEIGHT, values, 0), weights.indptr[:-1])
    return kind.astype(np.int64), np.asarray(weights @ source.sigma_mm)


def _region_names(source: DesignSurface, points: Floats) -> np.ndarray:
    """Name of the template's region nearest to each point, (Q,)."""
    template = source.template
    faces = template.faces[FINEST_LEVEL]
    found = Surface(Mesh(source.face, faces)).closest(points)
    nearest = faces[found.faces, np.argmax(found.barycentric, axis=1)]
    return np.array(template.region_names)[template.region[nearest]]


def _crop_around(skin: Mesh, outer: Mesh, *, reach_mm: float = 15.0) -> Mesh:
    """The part of a skin in the box around the outer face: fine scans have a million triangles elsewhere."""
    low, high = outer.vertices.min(0) - reach_mm, outer.vertices.max(0) + reach_mm
    inside = ((skin.vertices >= low) & (skin.vertices <= high)).all(1)
    return skin.submesh(np.asarray(inside[skin.faces].any(1)))[0]


def _seat(skin: Mesh, outer: OuterSurface) -> Mesh:
    """The skin on which the margin lies, on the outer face's triangles."""
    on_skin = (outer.defect_distance[outer.mesh.faces] <= 1e-9).all(1)
    return Mesh(np.asarray(outer.weights @ skin.vertices), outer.mesh.faces).submesh(np.asarray(on_skin))[0]


def _clearances(part: Mesh, kind: Ints, skin: Surface) -> Floats:
    """Distance from the skin of the intaglio's vertices under the outer border, (N,)."""
    foot = np.intersect1d(np.unique(part.faces[kind == INNER]), np.unique(part.faces[kind == SIDE]))
    return skin.closest(part.vertices[foot]).distance if len(foot) else np.zeros(0)


def _asymmetries(source: DesignSurface, part: Floats) -> dict[str, Any]:
    """Mean asymmetry of what is not missing on either side, of the whole face, and of the part, (N, 3) points."""
    template = source.template
    count = template.counts[SYMMETRY_LEVEL]
    face, mirror = source.face[:count], template.mirror[:count]
    missing = cKDTree(part).query(face)[0] < MISSING_WITHIN_MM
    whole = asymmetry(face, mirror)
    kept = ~(missing | missing[mirror])
    number = np.cumsum(kept) - 1
    before = asymmetry(face[kept], number[mirror[kept]])
    near = np.hypot(face[:, 0], face[:, 1] - SYMMETRY_CENTRE_Y_MM) < SYMMETRY_RADIUS_MM
    return {
        "asymmetry_before_mm": _mean(before[near[kept]]),
        "asymmetry_after_mm": _mean(whole[near]),
        "asymmetry_part_mm": _mean(whole[missing]),
    }


def _mean(values: Floats) -> float:
    return float(values.mean()) if len(values) else float("nan")
