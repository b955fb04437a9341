"""Cleaning: remove from a scan what is no surface, and report what was removed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse import csgraph

from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, face_cross, longest_edges
from facecom.geometry.weld import identical_rows, weld
from facecom.io.parsed_mesh import MAX_COORDINATE
from facecom.scan.topology import consistent_surface

DEGENERATE_HEIGHT_SHARE = 1e-7
"""Height of a face over its longest side below which it has no area: the resolution of float32."""
SPIKE_STRETCH = 10.0
"""A face to the origin that is so many times longer than the scan's others leads to an invalid pixel: depth cameras
write 0, 0, 0 where they see nothing, and some exports join those pixels with their neighbours."""


@dataclass(frozen=True)
class CleanReport:
    """How many of what was removed or changed; zero throughout for a clean scan.

    vertices_before, faces_before, vertices_after, faces_after : the sizes
    nonfinite_vertices : with coordinates that are NaN, infinite or beyond 1e30
    welded_vertices : at exactly the position of an earlier vertex, and joined with it
    loose_vertices : without a face, where the scan has faces
    nonfinite_faces : at such a vertex
    spike_faces : that lead far away to a vertex at exactly 0, 0, 0, which depth cameras write for invalid pixels
    degenerate_faces : without area, or naming a vertex twice
    duplicate_faces : of the same three vertices as an earlier face
    stretched_faces : much longer than the edges around them, removed where that was asked for
    nonmanifold_faces : removed so that no edge has more than two faces
    one_sided_faces : removed so that every component has two sides (is orientable)
    floating_components, floating_faces, floating_vertices : small components that touch nothing
    turned_faces : flipped, so that neighbours agree on which side is outside
    inner_wall_faces : of inner walls, hollows and the strips that join walls, where the scan is a solid
    """

    vertices_before: int
    faces_before: int
    vertices_after: int
    faces_after: int
    nonfinite_vertices: int = 0
    welded_vertices: int = 0
    loose_vertices: int = 0
    nonfinite_faces: int = 0
    spike_faces: int = 0
    degenerate_faces: int = 0
    duplicate_faces: int = 0
    stretched_faces: int = 0
    nonmanifold_faces: int = 0
    one_sided_faces: int = 0
    floating_components: int = 0
    floating_faces: int = 0
    floating_vertices: int = 0
    turned_faces: int = 0
    inner_wall_faces: int = 0


@dataclass(frozen=True, eq=False)
class CleanScan:
    """A scan fit for use and where each part of it came from.

    Parameters
    ----------
    mesh : Mesh; positions are those of the scan, bit by bit
    vertex_index : (V,) int, ascending: the vertex of the caller's mesh that each vertex of `mesh` is
    vertex_map : (V of the caller,) int, the vertex of `mesh` at each of the caller's vertices, duplicates included;
        -1 where it was removed
    face_index : (F,) int, ascending: the face of the caller's mesh that each face of `mesh` is
    report : CleanReport
    """

    mesh: Mesh
    vertex_index: Ints
    vertex_map: Ints
    face_index: Ints
    report: CleanReport


def clean_scan(
    scan: Mesh, *, min_faces: int = 100, min_area_share: float = 0.05, max_stretch: float | None = None
) -> CleanScan:
    """Weld duplicate vertices and remove what is no surface; the scan itself is not changed.

    Every vertex that remains keeps its position to the last bit, and their order stays.

    Parameters
    ----------
    scan : Mesh, in any unit; a point cloud (no faces) loses its non-finite and duplicate points alone
    min_faces, min_area_share : a component that touches nothing is removed when it has fewer faces than
        `min_faces` and less than this share of the whole area: scanners leave small balls and flakes in the air
    max_stretch : remove faces with an edge longer than this many times the shortest edges at their corners; a depth
        camera's meshes have such faces across depth steps, where there is no surface (5 suits them). None keeps all.

    Raises
    ------
    ScanError
        When no surface is left.

    Examples
    --------
    >>> square = Mesh([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [9, 9, 9]], [[0, 1, 2], [0, 2, 3]])
    >>> clean_scan(square).report.loose_vertices
    1
    """
    finite: Bools = np.asarray((np.abs(scan.vertices) < MAX_COORDINATE).all(axis=1))
    to_first = _first_at_position(scan.vertices, finite)
    welded = int(finite.sum() - (to_first[finite] == np.flatnonzero(finite)).sum())
    counts = {"nonfinite_vertices": int((~finite).sum()), "welded_vertices": welded}
    if not len(scan.faces):
        kept = finite & (to_first == np.arange(len(finite)))
        return _result(scan, kept, to_first, np.zeros((0, 3), np.int64), np.zeros(0, np.int64), counts)
    left = _RemainingFaces(to_first[scan.faces], counts)
    left.drop("nonfinite_faces", np.asarray(~finite[scan.faces].all(axis=1)))
    left.drop("spike_faces", _spikes(scan.vertices, left.faces))
    floating, counts["floating_components"] = _floating_faces(scan.vertices, left.faces, min_faces, min_area_share)
    counts["floating_vertices"] = len(np.unique(left.faces[floating]))
    left.drop("floating_faces", floating)
    left.drop("degenerate_faces", _degenerate(scan.vertices, left.faces))
    left.drop("duplicate_faces", _duplicate(left.faces))
    if max_stretch is not None:
        left.drop("stretched_faces", _edge_stretch(scan.vertices, left.faces) > max_stretch)
    surface = consistent_surface(scan.vertices, left.faces)
    counts["nonmanifold_faces"], counts["one_sided_faces"] = surface.nonmanifold, surface.nonorientable
    counts["turned_faces"] = surface.flipped
    if not len(surface.faces):
        raise ScanError(f"none of the {len(scan.faces):,} faces of the scan is part of a surface; scan again")
    counts["loose_vertices"] = int((finite & ~_named(scan.faces, len(finite))).sum())
    return _result(scan, _named(surface.faces, len(finite)), to_first, surface.faces, left.index[surface.index], counts)


class _RemainingFaces:
    """Faces that are left, (F, 3), and which of the scan's each one is, (F,)."""

    def __init__(self, faces: Ints, counts: dict[str, int]) -> None:
        self.faces, self.index, self._counts = faces, np.arange(len(faces)), counts

    def drop(self, name: str, bad: Bools) -> None:
        """Take faces out and count them under a name."""
        self._counts[name] = int(bad.sum())
        self.faces, self.index = self.faces[~bad], self.index[~bad]


def _named(faces: Ints, count: int) -> Bools:
    """Which of `count` vertices some face names."""
    out = np.zeros(count, bool)
    out[faces] = True
    return out


def _spikes(vertices: Floats, faces: Ints) -> Bools:
    """Faces (F,) that join an invalid pixel at the origin with the surface, far away."""
    at_origin = (vertices == 0.0).all(axis=1)
    spikes = np.zeros(len(faces), bool)
    touching = at_origin[faces].any(axis=1)
    if not touching.any() or touching.all():
        return spikes
    length = longest_edges(vertices, faces)
    spikes[touching] = length[touching] > SPIKE_STRETCH * np.median(length[~touching])
    return spikes


def _first_at_position(vertices: Floats, finite: Bools) -> Ints:
    """The earliest vertex at each vertex's position; itself where not finite."""
    target = np.arange(len(vertices))
    where = np.flatnonzero(finite)
    first, group = weld(vertices[where])
    target[where] = where[first[group]]
    return target


def _floating_faces(vertices: Floats, faces: Ints, min_faces: int, min_area_share: float) -> tuple[Bools, int]:
    """Faces of small components that share no vertex with others, and how many; the largest by area always stays."""
    if not len(faces):
        return np.zeros(0, bool), 0
    ones = np.ones(2 * len(faces), np.int8)
    links = (ones, (faces[:, :2].T.ravel(), faces[:, 1:].T.ravel()))
    graph = sp.coo_matrix(links, shape=(len(vertices), len(vertices)))
    components, label = csgraph.connected_components(graph, directed=False)
    if components == 1:
        return np.zeros(len(faces), bool), 0
    component = label[faces[:, 0]]
    area = 0.5 * np.linalg.norm(face_cross(vertices, faces), axis=1)
    count, area_of = np.bincount(component), np.bincount(component, area)
    small = (count > 0) & (count < min_faces) & (area_of < min_area_share * area.sum())
    small[np.argmax(area_of)] = False
    return small[component], int(small.sum())


def _degenerate(vertices: Floats, faces: Ints) -> Bools:
    """Faces without area, or that name a vertex twice, (F,)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    longest = np.max([np.einsum("fd,fd->f", side, side) for side in (b - a, c - b, a - c)], axis=0)
    return np.linalg.norm(np.cross(b - a, c - a), axis=1) <= DEGENERATE_HEIGHT_SHARE * longest


def _edge_stretch(vertices: Floats, faces: Ints) -> Floats:
    """Longest edge of each face over the median of the shortest edges at its corners."""
    following = np.roll(faces, -1, axis=1)
    length = np.linalg.norm(vertices[following] - vertices[faces], axis=2)
    shortest = np.full(len(vertices), np.inf)
    for ends in (faces, following):
        np.minimum.at(shortest, ends.ravel(), length.ravel())
    return length.max(axis=1) / np.median(shortest[faces], axis=1)


def _duplicate(faces: Ints) -> Bools:
    """Faces of the same three vertices as an earlier one, (F,)."""
    out = np.ones(len(faces), bool)
    low, high = faces.min(axis=1), faces.max(axis=1)
    out[identical_rows(np.stack([low, faces.sum(axis=1) - low - high, high], axis=1))[0]] = False
    return out


def _result(
    scan: Mesh, kept: Bools, to_first: Ints, faces: Ints, face_index: Ints, counts: dict[str, int]
) -> CleanScan:
    new = np.full(len(kept), -1)
    vertex_index = np.flatnonzero(kept)
    new[vertex_index] = np.arange(len(vertex_index))

    def pick(values: NDArray | None) -> NDArray | None:
        return None if values is None else values[vertex_index]

    mesh = Mesh(scan.vertices[vertex_index], new[faces], pick(scan.uv), pick(scan.colors), pick(scan.normals))
    sizes = (len(scan.vertices), len(scan.faces), len(mesh.vertices), len(mesh.faces))
    return CleanScan(mesh, vertex_index, new[to_first], face_index, CleanReport(*sizes, **counts))
