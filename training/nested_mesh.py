"""Nested refinements of the half template, relaxed on the real surface."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import unique_edges
from facecom.geometry.subdivision import split_faces
from training.chart import Chart, Piece
from training.half_disc import signed_areas


@dataclass(frozen=True, eq=False)
class HalfMesh:
    """One level of the half template: plane points, faces and for each vertex its curve (-1: free) and measure."""

    plane: np.ndarray
    faces: np.ndarray
    on: tuple[dict[int, float], ...]  # for each vertex {piece: measure}


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
        bad = areas < 1e-9
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


def relax(mesh: HalfMesh, chart: Chart, *, rounds: int, shape_rounds: int) -> HalfMesh:
    """Move free vertices along the surface, never flipping a plane triangle: first for graded size, then for shape."""
    plane, faces = mesh.plane, mesh.faces
    free = np.array([not at for at in mesh.on])
    for number in range(rounds + shape_rounds):
        rows, triangle = chart.rows(plane)
        solid = rows @ chart.disc.vertices
        push = _size_push(solid, rows @ chart.size, faces) if number < rounds else _shape_push(solid, faces)
        move = np.einsum("nij,nj->ni", chart.slopes[triangle], push)
        move[~free] = 0
        plane = _guarded(plane, move, faces, chart)
    return HalfMesh(plane, faces, mesh.on)


def _to_vertices(values: np.ndarray, faces: np.ndarray, count: int) -> np.ndarray:
    """Sum per-corner vectors (F, 3, d) at the vertices."""
    flat = values.reshape(len(faces) * 3, -1)
    return np.stack([np.bincount(faces.ravel(), column, minlength=count) for column in flat.T], axis=1)


def _size_push(solid: np.ndarray, size: np.ndarray, faces: np.ndarray, *, step: float = 0.6) -> np.ndarray:
    """Step towards the mean of the faces around, weighted by area over size^4 (Lloyd's step with that density)."""
    corners = solid[faces]
    cross = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    weight = np.linalg.norm(cross, axis=1) * size[faces].mean(1) ** -4
    pulled = np.repeat((weight[:, None] * corners.mean(1))[:, None], 3, axis=1)
    total = np.bincount(faces.ravel(), np.repeat(weight, 3), minlength=len(solid))
    return step * (_to_vertices(pulled, faces, len(solid)) / total[:, None] - solid)


def _shape_push(solid: np.ndarray, faces: np.ndarray, *, step: float = 0.5) -> np.ndarray:
    """Damped descent of the sum of squared inverse mean ratios q = (l1^2 + l2^2 + l3^2) / (4 sqrt(3) area)."""
    p = solid[faces]
    cross = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
    double = np.maximum(np.linalg.norm(cross, axis=1), 1e-9)
    normal = cross / double[:, None]
    scale = 1.0 / (2 * np.sqrt(3) * double)
    squared = sum(((p[:, k] - p[:, k - 1]) ** 2).sum(1) for k in range(3))
    ratio = squared * scale
    gradient = np.empty_like(p)
    for k in range(3):
        a, b = p[:, (k + 1) % 3], p[:, (k + 2) % 3]
        length_part = 2 * (2 * p[:, k] - a - b) * scale[:, None]
        area_part = np.cross(normal, b - a) / double[:, None]
        gradient[:, k] = 2 * ratio[:, None] * (length_part - ratio[:, None] * area_part)
    stiffness = 2 * ratio * (4 * scale + ratio * squared / double**2)
    total = np.bincount(faces.ravel(), np.repeat(stiffness, 3), minlength=len(solid))
    return -step * _to_vertices(gradient, faces, len(solid)) / total[:, None] * 2


def _guarded(plane: np.ndarray, move: np.ndarray, faces: np.ndarray, chart: Chart) -> np.ndarray:
    """Plane points after the move, with moves halved, then dropped, where a triangle would flip."""
    new = plane + move
    moving = np.abs(move).max(1) > 0
    at = np.flatnonzero(moving)
    move = move.copy()
    move[at[chart.locate(new[at])[1].min(1) < -1e-9]] = 0
    for attempt in range(30):
        new = plane + move
        bad = signed_areas(new, faces) <= 0.05 * np.maximum(signed_areas(plane, faces), 0)
        if not bad.any():
            return new
        hit = np.unique(faces[bad])
        move[hit] = 0.5 * move[hit] if attempt < 6 else 0
    return plane
