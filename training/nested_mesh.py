"""A coarse graded triangulation of the half disc and its nested refinements, relaxed on the real surface."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import scipy.sparse as sp
from scipy.spatial import Delaunay, cKDTree

from facecom.geometry.mesh import unique_edges
from facecom.geometry.subdivision import split_faces
from training.half_disc import HalfDisc, signed_areas


@dataclass(frozen=True, eq=False)
class Piece:
    """A curve on the half disc that mesh edges must follow, as points in the plane with an arc parameter.

    measure : (n,) integral of ds / h from the start
    """

    plane: np.ndarray
    measure: np.ndarray

    def at(self, measure: np.ndarray) -> np.ndarray:
        """Plane points at given values of the measure."""
        return np.stack([np.interp(measure, self.measure, self.plane[:, k]) for k in range(2)], axis=1)


@dataclass(frozen=True, eq=False)
class Chart:
    """Point location on the flat half disc."""

    disc: HalfDisc
    size: np.ndarray  # (V,) wanted edge length at level 2, mm
    finder: object = field(init=False)
    slopes: np.ndarray = field(init=False)  # (F, 2, 3): plane step per 3D step

    def __post_init__(self) -> None:
        from matplotlib.tri import Triangulation

        d = self.disc
        finder = Triangulation(d.plane[:, 0], d.plane[:, 1], d.faces).get_trifinder()
        a, b, c = (d.faces[:, k] for k in range(3))
        solid = np.stack([d.vertices[b] - d.vertices[a], d.vertices[c] - d.vertices[a]], axis=2)
        flat = np.stack([d.plane[b] - d.plane[a], d.plane[c] - d.plane[a]], axis=2)
        jacobian = solid @ np.linalg.inv(flat)
        object.__setattr__(self, "finder", finder)
        object.__setattr__(self, "slopes", np.linalg.pinv(jacobian))

    def rows(self, points: np.ndarray) -> tuple[sp.csr_matrix, np.ndarray]:
        """Barycentric rows (n, V) of plane points and their triangles; points outside go to the nearest triangle."""
        face = np.asarray(self.finder(points[:, 0], points[:, 1])).astype(int)
        lost = face < 0
        d = self.disc
        if lost.any():
            middle = d.plane[d.faces].mean(1)
            face[lost] = cKDTree(middle).query(points[lost], k=1)[1]
        corners = d.plane[d.faces[face]]
        u, v, w = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0], points - corners[:, 0]
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        b = (w[:, 0] * v[:, 1] - w[:, 1] * v[:, 0]) / area
        c = (u[:, 0] * w[:, 1] - u[:, 1] * w[:, 0]) / area
        weights = np.clip(np.stack([1 - b - c, b, c], 1), 0, 1)
        weights /= weights.sum(1, keepdims=True)
        at = np.repeat(np.arange(len(points)), 3)
        matrix = sp.coo_matrix((weights.ravel(), (at, d.faces[face].ravel())), shape=(len(points), len(d.vertices)))
        return matrix.tocsr(), face


@dataclass(frozen=True, eq=False)
class HalfMesh:
    """One level of the half template: plane points, faces and for each vertex its curve (-1: free) and measure."""

    plane: np.ndarray
    faces: np.ndarray
    on: tuple[dict[int, float], ...]  # for each vertex {piece: measure}


def coarse_mesh(chart: Chart, pieces: list[Piece], *, coarseness: float, seed: int, rounds: int = 150) -> HalfMesh:
    """Sites on the pieces and, by Lloyd's relaxation with graded density, between them; then triangulated."""
    plane, on = _curve_sites(pieces, coarseness)
    d = chart.disc
    samples, weight, spacing = _samples(chart, coarseness)
    free = _darts(samples, weight, spacing, plane, seed)
    for _ in range(rounds):
        sites = np.concatenate([plane, free])
        owner = cKDTree(sites).query(samples)[1]
        total = np.bincount(owner, weight, minlength=len(sites))
        centre = np.stack([np.bincount(owner, weight * samples[:, k], minlength=len(sites)) for k in range(2)], 1)
        moved = centre[len(plane) :] / np.maximum(total[len(plane) :, None], 1e-300)
        free = free + 1.3 * (moved - free)
    sites = np.concatenate([plane, free])
    faces = _triangles_inside(sites, d)
    return HalfMesh(sites, faces, (*on, *({} for _ in free)))


def _curve_sites(pieces: list[Piece], coarseness: float) -> tuple[np.ndarray, list[dict[int, float]]]:
    """Sites equally spaced by measure on each piece; pieces that share an end share its site."""
    plane: list[np.ndarray] = []
    on: list[dict[int, float]] = []
    for number, piece in enumerate(pieces):
        steps = max(1, round(piece.measure[-1] / coarseness))
        for measure in np.linspace(0, piece.measure[-1], steps + 1):
            point = piece.at(np.array([measure]))[0]
            same = [k for k, q in enumerate(plane) if np.abs(q - point).max() < 1e-9]
            if same:
                on[same[0]][number] = measure
            else:
                plane.append(point)
                on.append({number: measure})
    return np.array(plane), on


def _samples(chart: Chart, coarseness: float, *, per_face: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Plane points that cover the disc, their weight for Lloyd's relaxation and the wanted spacing in the plane."""
    d = chart.disc
    corners = d.plane[d.faces]
    area = signed_areas(d.plane, d.faces)
    a, b, c = (d.vertices[d.faces[:, k]] for k in range(3))
    solid = 0.5 * np.linalg.norm(np.cross(b - a, c - a), axis=1)
    spacing = chart.size[d.faces].mean(1) * coarseness * np.sqrt(area / solid)
    weights = np.array([[2 / 3, 1 / 6, 1 / 6], [1 / 6, 2 / 3, 1 / 6], [1 / 6, 1 / 6, 2 / 3], [1 / 3, 1 / 3, 1 / 3]])
    points = np.einsum("sk,fkd->fsd", weights[:per_face], corners).reshape(-1, 2)
    return points, np.repeat(area / per_face / spacing**4, per_face), np.repeat(spacing, per_face)


def _darts(samples: np.ndarray, weight: np.ndarray, spacing: np.ndarray, fixed: np.ndarray, seed: int) -> np.ndarray:
    """Random points no closer than 0.78 of the wanted spacing to each other and 0.72 to the fixed ones."""
    order = np.random.default_rng(seed).permutation(len(samples))
    near = cKDTree(fixed).query(samples)[0]
    alive = near > 0.72 * spacing
    tree = cKDTree(samples)
    chosen = []
    for k in order:
        if alive[k]:
            chosen.append(k)
            alive[tree.query_ball_point(samples[k], 0.78 * spacing[k])] = False
    return samples[chosen]


def _triangles_inside(sites: np.ndarray, disc: HalfDisc) -> np.ndarray:
    from shapely import Polygon, contains_xy

    faces = Delaunay(sites).simplices.astype(np.int64)
    flip = signed_areas(sites, faces) < 0
    faces[flip] = faces[flip][:, ::-1]
    outline = Polygon(disc.plane[np.concatenate([disc.midline, disc.border[1:-1]])])
    middle = sites[faces].mean(1)
    keep = contains_xy(outline, middle[:, 0], middle[:, 1])
    return faces[keep]


def missing_curve_edges(mesh: HalfMesh, pieces: list[Piece]) -> list[tuple[int, int]]:
    """Consecutive sites of a piece that no mesh edge joins."""
    edges = set(map(tuple, unique_edges(mesh.faces)[0].tolist()))
    lost = []
    for number in range(len(pieces)):
        path = sorted((at[number], k) for k, at in enumerate(mesh.on) if number in at)
        lost += [(a, b) for (_, a), (_, b) in zip(path, path[1:], strict=False) if (min(a, b), max(a, b)) not in edges]
    return lost


def refine(mesh: HalfMesh, pieces: list[Piece]) -> HalfMesh:
    """Split 1 to 4: new vertices at plane midpoints, those of curve edges on their curve."""
    count = len(mesh.plane)
    faces, parents = split_faces(mesh.faces, count)
    plane = np.concatenate([mesh.plane, mesh.plane[parents].mean(1)])
    on = list(mesh.on)
    neighbours = curve_neighbours(mesh, pieces)
    for e, (a, b) in enumerate(parents.tolist()):
        number = neighbours.get((a, b))
        if number is None:
            on.append({})
            continue
        measure = 0.5 * (mesh.on[a][number] + mesh.on[b][number])
        plane[count + e] = pieces[number].at(np.array([measure]))[0]
        on.append({number: measure})
    return HalfMesh(plane, faces, tuple(on))


def curve_neighbours(mesh: HalfMesh, pieces: list[Piece]) -> dict[tuple[int, int], int]:
    """Mesh edges that lie on a piece: (a, b) with a < b -> piece."""
    out = {}
    for number in range(len(pieces)):
        path = sorted((at[number], k) for k, at in enumerate(mesh.on) if number in at)
        for (_, a), (_, b) in zip(path, path[1:], strict=False):
            out[min(a, b), max(a, b)] = number
    return out


def untangle(mesh: HalfMesh, *, rounds: int = 400) -> HalfMesh:
    """Move free vertices of flipped plane triangles to their neighbours' mean until none is flipped."""
    plane = mesh.plane.copy()
    free = np.array([not at for at in mesh.on])
    faces = mesh.faces
    degree = np.bincount(faces.ravel(), minlength=len(plane))
    for _ in range(rounds):
        areas = signed_areas(plane, faces)
        bad = areas < 0.02 * np.median(areas) * 0 + 1e-9
        if not bad.any():
            return HalfMesh(plane, faces, mesh.on)
        touched = np.zeros(len(plane), bool)
        touched[faces[bad].ravel()] = True
        near = touched[faces].any(1)
        wide = np.zeros(len(plane), bool)
        wide[faces[near].ravel()] = True
        total = np.zeros_like(plane)
        for k in range(3):
            np.add.at(total, faces[:, k], plane[faces[:, (k + 1) % 3]] + plane[faces[:, (k + 2) % 3]])
        mean = total / (2 * degree[:, None])
        move = wide & free
        plane[move] = 0.5 * (plane[move] + mean[move])
    raise ValueError(f"{int(bad.sum())} plane triangles stay flipped")


def relax(
    mesh: HalfMesh, chart: Chart, *, rounds: int, step: float = 0.6, frozen: np.ndarray | None = None
) -> HalfMesh:
    """Move free vertices towards the graded centroid of their faces, along the surface, never flipping one."""
    plane, faces = mesh.plane.copy(), mesh.faces
    free = np.array([not at for at in mesh.on])
    if frozen is not None:
        free &= ~frozen
    for _ in range(rounds):
        rows, triangle = chart.rows(plane)
        solid, size = rows @ chart.disc.vertices, rows @ chart.size
        corners = solid[faces]
        cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
        weight = np.linalg.norm(cross, axis=1) * size[faces].mean(1) ** -4
        middle = corners.mean(1)
        total = np.bincount(faces.ravel(), np.repeat(weight, 3), minlength=len(plane))
        target = np.stack(
            [np.bincount(faces.ravel(), np.repeat(weight * middle[:, k], 3), minlength=len(plane)) for k in range(3)], 1
        )
        push = target / total[:, None] - solid
        move = step * np.einsum("nij,nj->ni", chart.slopes[triangle], push)
        move[~free] = 0
        plane = _guarded(plane, move, faces, chart)
    return HalfMesh(plane, faces, mesh.on)


def _guarded(plane: np.ndarray, move: np.ndarray, faces: np.ndarray, chart: Chart) -> np.ndarray:
    """Plane points after the move, with moves halved, then dropped, where a triangle would flip."""
    new = plane + move
    moving = np.abs(move).max(1) > 0
    outside = moving & (np.asarray(chart.finder(new[:, 0], new[:, 1])) < 0)
    move = move.copy()
    move[outside] = 0
    for attempt in range(30):
        new = plane + move
        bad = signed_areas(new, faces) <= 0.05 * np.maximum(signed_areas(plane, faces), 0)
        if not bad.any():
            return new
        hit = np.unique(faces[bad])
        move[hit] = 0.5 * move[hit] if attempt < 6 else 0
    return plane
