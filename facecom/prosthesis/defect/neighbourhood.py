"""A defect and the skin around it, on triangles that are neither too large nor too small to design a part on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph

from facecom.errors import ScanError
from facecom.geometry.decimation import decimate
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, edge_lengths, unique_edges
from facecom.skin.fine_patch import split_long_edges


@dataclass(frozen=True, eq=False)
class Defect:
    """One missing part of a completed scan.

    faces : (F,) bool, the made faces of the merged mesh that fill it
    area_mm2 : their area
    centre : (3,) float, mm
    """

    faces: Bools
    area_mm2: float
    centre: Floats


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A defect and the skin around it, on triangles so small that a border runs smoothly over them.

    mesh : Mesh, mm ; within : (F,) bool, faces of the defect
    weights : (V, M) sparse, each vertex as a mean of vertices of the merged mesh
    margin_mm, beyond_mm : the band that is to be cut, and by how much a wider one is wider; skin for both is there
    whole : Mesh or None, mm, the surface in a larger box, which may show cavities from within
    """

    mesh: Mesh
    within: Bools
    weights: sp.csr_matrix
    margin_mm: float
    beyond_mm: float
    whole: Mesh | None

    @property
    def reach_mm(self) -> float:
        """How far the skin reaches around the defect."""
        return self.margin_mm + 2.0 * self.beyond_mm


def neighbourhood(
    merged: Mesh,
    defect: Defect,
    *,
    margin_mm: float,
    beyond_mm: float = 3.0,
    longest_mm: float = 1.5,
    shortest_mm: float = 0.5,
    most_faces: int = 60_000,
    cavities: bool = True,
    around_mm: float = 40.0,
) -> Neighbourhood:
    """The surroundings of a defect, with edges longer than `longest_mm` split where they are.

    Of scans so fine that more than `most_faces` triangles lie there, edges shorter than `shortest_mm` are collapsed.
    Where the surface may have `cavities` what lies up to `around_mm` around is kept to tell them.

    Raises
    ------
    ScanError
        When the defect touches no skin.
    """
    rim = np.flatnonzero(seam(merged, defect.faces))
    if not len(rim):
        raise ScanError("the missing part touches no skin of the scan; scan wider")
    near = _around(merged, rim, margin_mm + 2.0 * beyond_mm)
    kept = defect.faces | near[merged.faces].any(1)
    local, used = merged.submesh(kept)
    within = defect.faces[kept]
    if len(local.faces) > most_faces:
        local, left, origin = decimate(local, shortest_mm=shortest_mm, fixed=seam(local, within))
        used, within = used[left], within[origin]
    pick = sp.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), (len(used), len(merged.vertices)))
    mesh, within, finer = refined(local, within, longest_mm=longest_mm)
    whole = boxed(merged, rim, around_mm)[0] if cavities else None
    return Neighbourhood(mesh, within, (finer @ pick).tocsr(), margin_mm, beyond_mm, whole)


def _around(mesh: Mesh, sources: Ints, reach_mm: float, *, detour: float = 1.2) -> Bools:
    """Vertices within a geodesic distance and somewhat farther, (V,): ways along edges are longer by a `detour`."""
    local, used = boxed(mesh, sources, detour * reach_mm)
    edges, _, _ = unique_edges(local.faces)
    length = np.linalg.norm(local.vertices[edges[:, 0]] - local.vertices[edges[:, 1]], axis=1)
    ways = sp.csr_matrix((length, edges.T), (len(used), len(used)))
    start = np.searchsorted(used, sources)
    distance = csgraph.dijkstra(ways, directed=False, indices=start, limit=detour * reach_mm, min_only=True)
    out = np.zeros(len(mesh.vertices), bool)
    out[used] = np.isfinite(distance)
    return out


def boxed(mesh: Mesh, sources: Ints, reach_mm: float) -> tuple[Mesh, Ints]:
    """The part of a mesh that a way of some length from some vertices can reach, and its vertices' old numbers."""
    low, high = mesh.vertices[sources].min(0) - reach_mm, mesh.vertices[sources].max(0) + reach_mm
    within = ((mesh.vertices >= low) & (mesh.vertices <= high)).all(1)
    return mesh.submesh(within[mesh.faces].any(1))


def seam(mesh: Mesh, faces: Bools) -> Bools:
    """Vertices that some faces share with the others, (V,)."""
    inside, outside = np.zeros(len(mesh.vertices), bool), np.zeros(len(mesh.vertices), bool)
    inside[mesh.faces[faces].ravel()] = True
    outside[mesh.faces[~faces].ravel()] = True
    return inside & outside


def refined(mesh: Mesh, marked: Bools, *, longest_mm: float) -> tuple[Mesh, Bools, sp.csr_matrix]:
    """Split edges until none is longer; the surface stays what it is, marks of faces are kept."""
    weights = sp.identity(len(mesh.vertices), format="csr")
    while edge_lengths(mesh).max(initial=0.0) > longest_mm:
        count = len(mesh.vertices)
        split = [split_long_edges(mesh.faces[marked == k], mesh.vertices, longest_mm) for k in (False, True)]
        # The two sides split their common edges alike: a new vertex is known by the edge it halves.
        parents, number = np.unique(np.concatenate([p for _, p in split]), axis=0, return_inverse=True)
        number = number.ravel()
        names = [np.concatenate([np.arange(count), count + part]) for part in np.split(number, [len(split[0][1])])]
        faces = [name[f] for name, (f, _) in zip(names, split, strict=True)]
        rows = np.repeat(np.arange(len(parents)), 2)
        half = sp.csr_matrix((np.full(len(rows), 0.5), (rows, parents.ravel())), (len(parents), count))
        step = sp.vstack([sp.identity(count), half]).tocsr()
        weights = (step @ weights).tocsr()
        mesh = Mesh(step @ mesh.vertices, np.concatenate(faces))
        marked = np.repeat([False, True], [len(f) for f in faces])
    return mesh, marked, weights
