"""Fill the missing part of the plane with triangles between the scan's rims and the face's own border."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Floats, Ints, Mesh, boundary_loops
from facecom.stitching.boundary_loops import BoundaryLoops
from facecom.stitching.patch_sampling import own_lengths, rim_sizes, sample_face
from facecom.stitching.planar_triangulation import crossings, pair_keys
from facecom.stitching.rim_blending import blended_offsets
from facecom.stitching.rim_triangulation import flip_edges, split_edges, triangulate_missing


@dataclass(frozen=True, eq=False)
class Filling:
    """Triangles over the rim vertices (indices below R) and new vertices (from R on, bridges among them).

    triangles : (T, 3); points : (N, 3) new vertices, mm; weights : (N, V) sparse, each new vertex as a mean of face
    vertices, before its offset.
    """

    triangles: Ints
    points: Floats
    weights: sp.csr_matrix


def face_plane(face: Mesh) -> tuple[Floats, Ints]:
    """The face's texture coordinates scaled to mm, and its border in order.

    Raises
    ------
    ValueError
        When the face has no faces or no uv or is not a disc.
    """
    if not len(face.faces) or face.uv is None:
        raise ValueError("the face to join needs triangles and texture coordinates (uv)")
    loops = boundary_loops(face.faces)
    if len(loops) != 1:
        raise ValueError(f"the face to join must be a disc with one border, this one has {len(loops)}")
    corners, flat = face.vertices[face.faces], face.uv[face.faces]
    u, v = flat[:, 1] - flat[:, 0], flat[:, 2] - flat[:, 0]
    area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
    space = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    plane = face.uv * np.sqrt(space / max(np.abs(area).sum(), 1e-300))
    if area.sum() < 0:
        plane = plane * [-1.0, 1.0]
    return plane, loops[0]


def fill_plane(
    face: Mesh,
    rims: BoundaryLoops,
    *,
    plane: Floats,
    border: Ints,
    evidence: Floats,
    grading: float,
    falloff_mm: float,
    fixed: Ints,
) -> Filling:
    """Triangulate what is missing between the rims.

    Parameters
    ----------
    face : Mesh; plane : (V, 2), its uv in mm; border : (B,) its border vertices in order
    rims : Rims
    evidence : (V,) in 0..1, how surely the scan lacks the face there
    grading, falloff_mm : see JoinSettings
    fixed : (K, 2) pairs of rim positions that are edges of the scan
    """
    count = len(rims.feet)
    edges = usable_edges(rims)
    if not len(edges):
        return Filling(np.zeros((0, 3), np.int64), np.zeros((0, 3)), sp.csr_matrix((0, len(face.vertices))))
    sizes = rim_sizes(rims.feet, edges, rims.length, grading=grading)
    own = own_lengths(face)
    weights = sample_face(face, own=own, missing=evidence, border=border, sizes=sizes)
    new_uv, feet = weights @ plane, weights @ face.vertices
    used = np.unique(edges)
    local = np.full(count, -1)
    local[used] = np.arange(len(used))
    uv = np.concatenate([rims.uv[used], new_uv])
    positions = np.concatenate([rims.feet[used], feet])
    opinion = np.concatenate([np.full(len(used), np.nan), weights @ evidence])
    rim = local[edges]
    walls = _walls(uv, rim, _border_edges(weights, border, len(used)), _exits(rims, edges, local, uv, weights, border))
    size = np.concatenate([rims.length[used], sizes.at(feet, weights @ own)[0]])
    gap = np.concatenate([rim_gaps(rims)[used], np.zeros(len(feet))])
    triangles, _ = triangulate_missing(
        uv, rim, walls, evidence=opinion, positions=positions, size=size, gap=gap, domain=plane[border]
    )
    ids = np.concatenate([used, count + np.arange(len(feet))])
    fixed_local = local[fixed][(local[fixed] >= 0).all(1)]
    triangles = flip_edges(triangles, uv=uv, positions=positions, fixed=fixed_local)
    return _lifted(ids[triangles], rims, feet, weights, falloff_mm=falloff_mm, fixed=fixed)


def usable_edges(rims: BoundaryLoops) -> Ints:
    """Rim edges with both ends over the face, less those that still cross another border in the plane.

    Of two borders that cross, the one farther from the face gives way (a sheet of hair in front of skin).
    """
    edges = rims.outline
    if not len(edges):
        return edges
    gap = rim_gaps(rims)
    links = sp.coo_matrix((np.ones(len(edges)), edges.T), shape=(len(gap),) * 2)
    curve = csgraph.connected_components(links, directed=False)[1]
    mean = np.bincount(curve, gap) / np.bincount(curve)
    rank = mean[curve[edges[:, 0]]]
    pairs = crossings(rims.uv[edges[:, 0]], rims.uv[edges[:, 1]])
    worse = np.where(rank[pairs[:, 0]] > rank[pairs[:, 1]], pairs[:, 0], pairs[:, 1])
    keep = np.ones(len(edges), bool)
    keep[worse] = False
    return edges[keep]


def rim_gaps(rims: BoundaryLoops) -> Floats:
    """Distance of each rim vertex to its foot on the face, (N,), mm; zero on bridges."""
    count = len(rims.points)
    gap = np.zeros(len(rims.feet))
    gap[:count] = np.linalg.norm(rims.points - rims.feet[:count], axis=1)
    return gap


def _border_edges(weights: sp.csr_matrix, border: Ints, offset: int) -> Ints:
    """The face's border as edges between those of its vertices that were sampled, as plane points."""
    single = np.flatnonzero(np.diff(weights.indptr) == 1)
    at = np.full(weights.shape[1], -1)
    at[weights.indices[weights.indptr[single]]] = single + offset
    kept = at[border][at[border] >= 0]
    return np.stack([kept, np.roll(kept, -1)], axis=1) if len(kept) > 2 else np.zeros((0, 2), np.int64)


def _exits(rims: BoundaryLoops, edges: Ints, local: Ints, uv: Floats, weights: sp.csr_matrix, border: Ints) -> Ints:
    """From where a rim leaves the face to the nearest sampled border vertex: the gap between the two is a wall too."""
    leaving = rims.edges[rims.inside[rims.edges[:, 0]] != rims.inside[rims.edges[:, 1]]]
    leaving = leaving[rims.beyond[leaving].any(1)]
    inner = np.where(rims.inside[leaving[:, 0]], leaving[:, 0], leaving[:, 1])
    inner = np.unique(inner[local[inner] >= 0])
    ring = np.unique(_border_edges(weights, border, len(uv) - weights.shape[0]))
    if not len(inner) or not len(ring):
        return np.zeros((0, 2), np.int64)
    nearest = cKDTree(uv[ring]).query(rims.uv[inner])[1]
    return np.stack([local[inner], ring[nearest]], axis=1)


def _walls(uv: Floats, rim: Ints, border: Ints, exits: Ints) -> Ints:
    """Border and exit edges that cross no rim edge and not each other."""
    walls = np.concatenate([exits, border])
    lines = np.concatenate([rim, walls])
    pairs = crossings(uv[lines[:, 0]], uv[lines[:, 1]])
    keep = np.ones(len(lines), bool)
    keep[pairs[:, 1]] = False
    return walls[keep[len(rim) :]]


def _lifted(
    triangles: Ints, rims: BoundaryLoops, feet: Floats, weights: sp.csr_matrix, *, falloff_mm: float, fixed: Ints
) -> Filling:
    """Give the triangles their place in space: the face surface plus the blended gap at the rim."""
    count = len(rims.vertices)
    rows = sp.vstack([rims.weights, weights]).tocsr()
    base = np.concatenate([rims.feet, feet])
    triangles, parents = split_edges(triangles, double_edges(triangles, rims.edges, fixed), len(base))
    if len(parents):
        rows = sp.vstack([rows, 0.5 * (rows[parents[:, 0]] + rows[parents[:, 1]])]).tocsr()
        base = np.concatenate([base, base[parents].mean(1)])
    used, local = np.unique(triangles, return_inverse=True)
    gap = np.zeros_like(base)
    gap[:count] = rims.points - rims.feet[:count]
    held = used < count
    spread = base.copy()
    spread[:count] = rims.points  # feet may coincide
    offsets = blended_offsets(spread[used], local.reshape(-1, 3), held=held, offsets=gap[used], falloff_mm=falloff_mm)
    new = used[~held]
    renumber = np.concatenate([np.arange(count), np.full(len(base) - count, -1)])
    renumber[new] = count + np.arange(len(new))
    return Filling(renumber[triangles], base[new] + offsets[~held], rows[new])


def double_edges(triangles: Ints, border: Ints, fixed: Ints) -> Ints:
    """Edges of the triangles that the scan has too, unless both use it once, in opposite directions, (D, 2)."""
    if not len(triangles) or not len(fixed):
        return np.zeros((0, 2), np.int64)
    directed = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    count = int(max(directed.max(), fixed.max(), border.max())) + 1
    directed = directed[np.isin(pair_keys(directed, count), pair_keys(fixed, count))]
    edges, inverse, times = np.unique(np.sort(directed, axis=1), axis=0, return_inverse=True, return_counts=True)
    stitched = np.isin(directed[:, 1] * count + directed[:, 0], border[:, 0] * count + border[:, 1])
    good = np.bincount(inverse.ravel(), stitched, minlength=len(edges)) > 0
    return edges[~(good & (times == 1))].reshape(-1, 2)
