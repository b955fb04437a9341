"""A defect and the skin around it, remeshed to triangles that are neither too large nor too small to design on."""

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
    """A hole of the scan that a part is designed for.

    Parameters
    ----------
    faces : (F,) bool, faces of the merged mesh that fill it
    area_mm2 : their area
    centre : (3,) float, mm, their centre of area
    """

    faces: Bools
    area_mm2: float
    centre: Floats


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A defect and the skin around it, on triangles so small that a border runs smoothly over them.

    Parameters
    ----------
    mesh : Mesh, mm
    in_defect : (F,) bool, faces of the defect
    weights : (V, M) sparse, each vertex as a weighted mean of vertices of the merged mesh
    margin_mm : width of the margin that is to be cut
    extra_mm : by how much the skin that is there for it is wider on either side
    cavity_surface : Mesh or None, mm, the surface in a larger box, which may show cavities from within
    """

    mesh: Mesh
    in_defect: Bools
    weights: sp.csr_matrix
    margin_mm: float
    extra_mm: float
    cavity_surface: Mesh | None

    @property
    def reach_mm(self) -> float:
        """How far the skin reaches around the defect, mm."""
        return self.margin_mm + 2.0 * self.extra_mm


def neighbourhood(
    merged: Mesh,
    defect: Defect,
    *,
    margin_mm: float,
    extra_mm: float = 3.0,
    max_edge_mm: float = 1.5,
    min_edge_mm: float = 0.5,
    max_faces: int = 60_000,
    cavities: bool = True,
    cavity_reach_mm: float = 40.0,
) -> Neighbourhood:
    """Cut a defect and the skin around it out of the merged mesh, and remesh it.

    Parameters
    ----------
    merged : Mesh, mm
    defect : Defect
    margin_mm, extra_mm : see `Neighbourhood`
    max_edge_mm : longer edges are split
    min_edge_mm : shorter edges are collapsed where there are more triangles than `max_faces`
    cavities : whether the surface may show a mouth or a socket from within
    cavity_reach_mm : so far around the defect the surface is kept to recognise them

    Raises
    ------
    ScanError
        When the defect touches no skin.
    """
    border = np.flatnonzero(interface_vertices(merged, defect.faces))
    if not len(border):
        raise ScanError("the missing part touches no skin of the scan; scan wider")
    near = _within_reach(merged, border, margin_mm + 2.0 * extra_mm)
    kept = defect.faces | near[merged.faces].any(1)
    local, used = merged.submesh(kept)
    in_defect = defect.faces[kept]
    if len(local.faces) > max_faces:
        local, left, origin = decimate(local, shortest_mm=min_edge_mm, fixed=interface_vertices(local, in_defect))
        used, in_defect = used[left], in_defect[origin]
    pick = sp.csr_matrix((np.ones(len(used)), (np.arange(len(used)), used)), (len(used), len(merged.vertices)))
    mesh, in_defect, finer = subdivide_long_edges(local, in_defect, max_edge_mm=max_edge_mm)
    around = crop_to_box(merged, border, cavity_reach_mm)[0] if cavities else None
    return Neighbourhood(mesh, in_defect, (finer @ pick).tocsr(), margin_mm, extra_mm, around)


def _within_reach(mesh: Mesh, sources: Ints, reach_mm: float, *, detour: float = 1.2) -> Bools:
    """Vertices within a geodesic distance and somewhat farther, (V,): paths along edges are longer, by a `detour`."""
    local, used = crop_to_box(mesh, sources, detour * reach_mm)
    edges, _, _ = unique_edges(local.faces)
    length = np.linalg.norm(local.vertices[edges[:, 0]] - local.vertices[edges[:, 1]], axis=1)
    graph = sp.csr_matrix((length, edges.T), (len(used), len(used)))
    start = np.searchsorted(used, sources)
    distance = csgraph.dijkstra(graph, directed=False, indices=start, limit=detour * reach_mm, min_only=True)
    out = np.zeros(len(mesh.vertices), bool)
    out[used] = np.isfinite(distance)
    return out


def crop_to_box(mesh: Mesh, sources: Ints, reach_mm: float) -> tuple[Mesh, Ints]:
    """The faces of a mesh in the box around some vertices grown by a length, and the old numbers of its vertices."""
    low, high = mesh.vertices[sources].min(0) - reach_mm, mesh.vertices[sources].max(0) + reach_mm
    inside = ((mesh.vertices >= low) & (mesh.vertices <= high)).all(1)
    return mesh.submesh(inside[mesh.faces].any(1))


def interface_vertices(mesh: Mesh, faces: Bools) -> Bools:
    """Vertices that some faces, (F,) bool, share with the others, (V,)."""
    inside, outside = np.zeros(len(mesh.vertices), bool), np.zeros(len(mesh.vertices), bool)
    inside[mesh.faces[faces].ravel()] = True
    outside[mesh.faces[~faces].ravel()] = True
    return inside & outside


def subdivide_long_edges(mesh: Mesh, marked: Bools, *, max_edge_mm: float) -> tuple[Mesh, Bools, sp.csr_matrix]:
    """Split edges at their midpoints until none is longer than a length; the surface does not change.

    Parameters
    ----------
    mesh : Mesh
    marked : (F,) bool, marks of faces, which their parts inherit
    max_edge_mm : that length

    Returns
    -------
    mesh : Mesh, the faces without a mark first
    marked : (F',) bool
    weights : (V', V) sparse, each vertex as a mean of old ones

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [4, 0, 0], [0, 4, 0]], [[0, 1, 2]])
    >>> fine, marked, weights = subdivide_long_edges(tile, np.array([True]), max_edge_mm=3.0)
    >>> float(edge_lengths(fine).max()) <= 3.0, bool(marked.all())
    (True, True)
    """
    weights = sp.identity(len(mesh.vertices), format="csr")
    while edge_lengths(mesh).max(initial=0.0) > max_edge_mm:
        count = len(mesh.vertices)
        split = [split_long_edges(mesh.faces[marked == k], mesh.vertices, max_edge_mm) for k in (False, True)]
        # Both sides split their common edges alike: a new vertex is identified by the edge that it halves.
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
