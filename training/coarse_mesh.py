"""The coarsest level: graded sites on the half disc by anisotropic Lloyd relaxation, triangulated."""

from __future__ import annotations

import numpy as np
from scipy.spatial import Delaunay, cKDTree
from shapely import Polygon, contains_xy

from facecom.geometry.mesh import unique_edges
from training.chart import Chart, Piece
from training.half_disc import HalfDisc, signed_areas
from training.nested_mesh import HalfMesh, curve_neighbours


def coarse_mesh(chart: Chart, pieces: list[Piece], *, coarseness: float, seed: int, rounds: int = 100) -> HalfMesh:
    """Sites on the pieces and, by anisotropic Lloyd relaxation (Du and Wang 2005), between them; then triangulated.

    The metric in the plane is that of the surface over the wanted edge length, so that equal steps in it are equal
    shares of an edge.
    """
    plane, on = _curve_sites(pieces, coarseness)
    samples, metric, weight = _samples(chart, coarseness)
    free = _darts(samples, metric, plane, seed)
    for _ in range(rounds):
        sites = np.concatenate([plane, free])
        owner = _owners(samples, metric, sites)
        scaled = metric * weight[:, None, None]
        pull = np.einsum("nij,nj->ni", scaled, samples)
        left = np.stack([np.bincount(owner, scaled[:, i, j], minlength=len(sites)) for i in (0, 1) for j in (0, 1)], 1)
        right = np.stack([np.bincount(owner, pull[:, k], minlength=len(sites)) for k in range(2)], 1)
        centre = np.linalg.solve(left[len(plane) :].reshape(-1, 2, 2), right[len(plane) :, :, None])[..., 0]
        free = free + 1.2 * (centre - free)
    sites = np.concatenate([plane, free])
    mesh = HalfMesh(sites, _triangles_inside(sites, chart.disc), (*on, *({} for _ in free)))
    return flip_edges(mesh, chart, pieces)


def _owners(samples: np.ndarray, metric: np.ndarray, sites: np.ndarray, *, candidates: int = 10) -> np.ndarray:
    """Closest site of each sample in the sample's own metric."""
    near = cKDTree(sites).query(samples, k=candidates)[1]
    step = sites[near] - samples[:, None]
    squared = np.einsum("nki,nij,nkj->nk", step, metric, step)
    return near[np.arange(len(samples)), np.argmin(squared, axis=1)]


def flip_edges(mesh: HalfMesh, chart: Chart, pieces: list[Piece], *, passes: int = 60) -> HalfMesh:
    """Delaunay flips in the surface's metric; curve edges stay, and no plane triangle turns over."""
    kept = curve_neighbours(mesh, pieces)
    faces = mesh.faces.copy()
    for _ in range(passes):
        edges, edge_of, used = unique_edges(faces)
        count = len(faces)
        order = np.argsort(edge_of, kind="stable")
        start = np.concatenate([[0], np.cumsum(used)])[:-1]
        done = np.zeros(count, bool)
        flipped = 0
        for e in np.flatnonzero(used == 2).tolist():
            one, two = order[start[e]], order[start[e] + 1]
            f, g = one % count, two % count
            if done[f] or done[g] or tuple(edges[e].tolist()) in kept:
                continue
            a, b = faces[f][one // count], faces[f][(one // count + 1) % 3]
            c, d = faces[f][(one // count + 2) % 3], faces[g][(two // count + 2) % 3]
            if _should_flip(mesh.plane, chart, a, b, c, d):
                faces[f], faces[g] = (c, d, b), (d, c, a)
                done[[f, g]] = True
                flipped += 1
        if not flipped:
            break
    return HalfMesh(mesh.plane, faces, mesh.on)


def _should_flip(plane: np.ndarray, chart: Chart, a: int, b: int, c: int, d: int) -> bool:
    """Whether edge ab between triangles abc and bad is not Delaunay in the metric met on the way."""
    quad = plane[[a, b, c, d]]
    if min(signed_areas(quad, np.array([[2, 3, 1], [3, 2, 0]]))) <= 1e-9:
        return False
    at = np.concatenate([quad, 0.5 * (quad[[0, 0, 0, 1, 1]] + quad[[1, 2, 3, 2, 3]])])
    tensor = chart.metric[chart.rows(at)[1]].mean(0)
    p = quad @ np.linalg.cholesky(tensor)
    angles = 0.0
    for apex in (2, 3):
        u, v = p[0] - p[apex], p[1] - p[apex]
        angles += np.arctan2(abs(u[0] * v[1] - u[1] * v[0]), u @ v)
    return angles > np.pi + 1e-3


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


def _samples(chart: Chart, coarseness: float, *, at_most: int = 40_000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Middles of evenly chosen faces of the disc, the metric there and the area that each stands for."""
    d = chart.disc
    chosen = np.arange(0, len(d.faces), -(-len(d.faces) // at_most))
    metric = chart.metric[chosen] / coarseness**2
    area = signed_areas(d.plane, d.faces)[chosen] * np.sqrt(np.linalg.det(metric))
    return d.plane[d.faces[chosen]].mean(1), metric, area


def _darts(samples: np.ndarray, metric: np.ndarray, fixed: np.ndarray, seed: int) -> np.ndarray:
    """Random points no closer than 0.78 of the wanted spacing to each other and 0.72 to the fixed ones."""
    order = np.random.default_rng(seed).permutation(len(samples))
    reach = 1.0 / np.sqrt(np.linalg.eigvalsh(metric)[:, 0])
    tree = cKDTree(samples)
    alive = np.ones(len(samples), bool)

    def clear(point: np.ndarray, radius: float, share: float) -> None:
        near = np.array(tree.query_ball_point(point, radius), int)
        step = samples[near] - point
        squared = np.einsum("ni,nij,nj->n", step, metric[near], step)
        alive[near[squared < share**2]] = False

    for point, k in zip(fixed, tree.query(fixed)[1], strict=True):
        clear(point, 1.5 * reach[k], 0.72)
    chosen = []
    for k in order:
        if alive[k]:
            chosen.append(k)
            clear(samples[k], 1.5 * reach[k], 0.78)
    return samples[chosen]


def _triangles_inside(sites: np.ndarray, disc: HalfDisc) -> np.ndarray:
    faces = Delaunay(sites).simplices.astype(np.int64)
    flip = signed_areas(sites, faces) < 0
    faces[flip] = faces[flip][:, ::-1]
    outline = Polygon(disc.plane[np.concatenate([disc.midline, disc.border[1:-1]])])
    middle = sites[faces].mean(1)
    keep = contains_xy(outline, middle[:, 0], middle[:, 1])
    return faces[keep]
