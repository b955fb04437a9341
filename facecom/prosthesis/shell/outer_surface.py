"""The surface that a prosthesis shows: the made skin of one defect and a band of the skin around it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from facecom.errors import ScanError
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.mesh import (
    Bools,
    Floats,
    Ints,
    Mesh,
    boundary_loops,
    face_areas,
    face_components,
    face_cross,
)
from facecom.prosthesis.defect.neighbourhood import Defect, boxed
from facecom.prosthesis.solid.clipping import border_length


@dataclass(frozen=True, eq=False)
class OuterSurface:
    """A disc cut out of the merged mesh: the made skin and the band of skin around it.

    mesh : Mesh, mm, one border
    inward : (V,) float, mm, geodesic distance from the defect's edge: positive within it, negative on the skin
    rim : (V,) float, mm, geodesic distance from the part's border: positive in the part, negative beyond it
    weights : (V, M) sparse, each vertex as a mean of vertices of the merged mesh
    """

    mesh: Mesh
    inward: Floats
    rim: Floats
    weights: sp.csr_matrix

    @property
    def loop(self) -> Ints:
        """Vertices along the border."""
        return boundary_loops(self.mesh.faces)[0]

    def clipped(self, mesh: Mesh, kept: sp.csr_matrix) -> OuterSurface:
        """What is left of the sheet; each of its vertices a mean of old ones, (V', V) sparse."""
        return OuterSurface(mesh, kept @ self.inward, kept @ self.rim, (kept @ self.weights).tocsr())


def find_defects(
    merged: Mesh, made: Bools, *, margin_mm: float, least_mm2: float, slit_mm: float = 20.0
) -> list[Defect]:
    """Missing parts that a prosthesis can cover, largest first.

    Parts whose margins would meet are one defect. What was made beyond the scan's own border is none.

    Parameters
    ----------
    merged : Mesh, mm
    made : (F,) bool, faces that were made
    margin_mm : width of the band around a defect
    least_mm2 : smaller parts are left to the eye of the beholder
    slit_mm : openings with a shorter border are slits that were left between scan and made surface, no border of a scan

    Raises
    ------
    ScanError
        When nothing is missing, or nothing but what lies on the scan's own border.
    """
    rows = np.flatnonzero(made)
    label = face_components(merged.faces[rows])
    area: Floats = np.bincount(label, face_areas(Mesh(merged.vertices, merged.faces[rows]))).astype(float)
    outer = np.zeros(len(merged.vertices), bool)
    for loop in boundary_loops(merged.faces):
        outer[loop] |= border_length(merged.vertices[loop]) > slit_mm
    open_ended = np.unique(label[outer[merged.faces[rows]].sum(1) >= 2])
    large = area >= least_mm2
    closed = large & ~np.isin(np.arange(len(area)), open_ended)
    if not closed.any():
        raise ScanError(_nothing(area, large))
    parts = [rows[label == k] for k in np.flatnonzero(closed)]
    owner = _touching(merged, parts, margin_mm)
    found = [
        _defect(merged, np.concatenate([p for p, o in zip(parts, owner, strict=True) if o == k])) for k in set(owner)
    ]
    return sorted(found, key=lambda d: -d.area_mm2)


def _nothing(area: Floats, large: Bools) -> str:
    if large.any():
        return (
            f"the scan has no hole with healthy skin all around it: what is missing ({area[large].max():.0f} mm2) "
            "reaches the scan's own border and leaves no room for a margin; scan wider, or name the part with `region`"
        )
    if len(area):
        return (
            f"the largest missing part has {area.max():.0f} mm2, too little for a prosthesis; lower `least_mm2`, or "
            "name the part with `region` where the scan shows the wound as a surface"
        )
    return "nothing is missing in the scan; name the part to be replaced with `region`"


def _touching(merged: Mesh, parts: list[Ints], margin_mm: float) -> list[int]:
    """Group number of each part; parts closer than two margins share one."""
    group = list(range(len(parts)))
    for k, part in enumerate(parts[:-1]):
        distance = _distance_near(merged, np.unique(merged.faces[part]), 2.0 * margin_mm)
        for other in range(k + 1, len(parts)):
            if np.isfinite(distance[merged.faces[parts[other]]]).any():
                old, new = group[other], group[k]
                group = [new if g == old else g for g in group]
    return group


def _distance_near(mesh: Mesh, sources: Ints, reach_mm: float) -> Floats:
    """Geodesic distance of each vertex as far as it reaches, else inf; of large meshes a box around is looked at."""
    local, used = boxed(mesh, sources, reach_mm)
    out = np.full(len(mesh.vertices), np.inf)
    out[used] = geodesic_distance(local, np.searchsorted(used, sources), reach_mm=reach_mm)
    return out


def _defect(merged: Mesh, rows: Ints) -> Defect:
    mask = np.zeros(len(merged.faces), bool)
    mask[rows] = True
    area = face_areas(Mesh(merged.vertices, merged.faces[rows]))
    centre = area @ merged.vertices[merged.faces[rows]].mean(1) / area.sum()
    return Defect(mask, float(area.sum()), centre)


def vector_area(mesh: Mesh, faces: Bools) -> Floats:
    """Sum of the normals of some faces times their areas, (3,): it depends on the border of these faces alone."""
    return 0.5 * face_cross(mesh.vertices, mesh.faces[faces]).sum(0)
