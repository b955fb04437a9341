"""From the half to the whole: mirrored levels and the uv map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.geometry.mesh import boundary_loops
from facecom.geometry.subdivision import split_faces
from training.half_disc import signed_areas, slim
from training.nested_mesh import HalfMesh

UV_STEPS = 12


@dataclass(frozen=True, eq=False)
class Whole:
    """Levels of the whole mesh; each vertex is a half vertex (`half`) on the left or, where `right`, mirrored."""

    faces: tuple[np.ndarray, ...]
    half: np.ndarray
    right: np.ndarray
    mirror: np.ndarray


def mirror_levels(levels: list[HalfMesh], midline: np.ndarray) -> Whole:
    """Mirror the coarsest half and split the whole; `midline` tells which finest half vertices have x = 0."""
    first = levels[0]
    count = len(first.plane)
    side = np.flatnonzero(~midline[:count])
    image = np.arange(count)
    image[side] = count + np.arange(len(side))
    half = np.concatenate([np.arange(count), side])
    right = np.arange(len(half)) >= count
    faces = [np.concatenate([first.faces, image[first.faces][:, ::-1]])]
    for coarse in levels[:-1]:
        children = {tuple(p): len(coarse.plane) + k for k, p in enumerate(_parents(coarse))}
        finer, parents = split_faces(faces[-1], len(half))
        pairs = np.sort(half[parents], axis=1)
        half = np.concatenate([half, [children[tuple(p)] for p in pairs.tolist()]])
        right = np.concatenate([right, right[parents].any(1)])
        faces.append(finer)
    key = {(h, bool(r)): k for k, (h, r) in enumerate(zip(half.tolist(), right.tolist(), strict=True))}
    other = [k if midline[h] else key[h, not r] for k, (h, r) in enumerate(zip(half, right, strict=True))]
    return Whole(tuple(faces), half, right, np.array(other))


def _parents(level: HalfMesh) -> list[list[int]]:
    return split_faces(level.faces, len(level.plane))[1].tolist()


def half_uv(plane: np.ndarray, faces: np.ndarray, vertices: np.ndarray, midline: np.ndarray) -> np.ndarray:
    """Flat positions of the half with the midline exactly on x = 0 and the rest at x > 0, little stretch.

    Starts from the flat map that the mesh was made on, and draws the midline to a line.
    """
    loop = boundary_loops(faces)[0]
    path = loop[np.isin(loop, np.flatnonzero(midline))]
    order = np.argsort(_along(loop, path, vertices, midline))
    path = path[order]
    length = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(vertices[path], axis=0), axis=1))])
    start = _upright(plane, path)
    targets = np.stack([0 * length, length - length.mean()], axis=1)
    flat = slim(vertices, faces, start, steps=UV_STEPS, fixed=path, targets=targets)
    flat[path] = targets
    if signed_areas(flat, faces).min() <= 0:
        raise ValueError("the uv map has flipped triangles")
    return flat


def _along(loop: np.ndarray, path: np.ndarray, vertices: np.ndarray, midline: np.ndarray) -> np.ndarray:
    """Position of the midline's vertices on it, from its lower end up."""
    on = midline[loop]
    start = int(np.flatnonzero(on & ~np.roll(on, 1))[0])
    rolled = np.roll(loop, -start)[: on.sum()]
    if vertices[rolled[0], 1] > vertices[rolled[-1], 1]:
        rolled = rolled[::-1]
    place = {int(k): n for n, k in enumerate(rolled)}
    return np.array([place[int(k)] for k in path])


def _upright(plane: np.ndarray, path: np.ndarray) -> np.ndarray:
    """Rotate and shift so that the path runs up the line x = 0 on average."""
    direction = plane[path[-1]] - plane[path[0]]
    c, s = direction / np.linalg.norm(direction)
    turned = (plane - plane[path].mean(0)) @ np.array([[s, c], [-c, s]])
    return turned


def whole_uv(flat: np.ndarray, whole: Whole, *, centre: float, zoom: float = 1.8, radius: float = 90.0) -> np.ndarray:
    """Place the half map and its image in the unit square, symmetric about u = 0.5, the face's centre enlarged.

    The map r -> r (1 + (zoom - 1) exp(-(r / radius)^2)) about height `centre` enlarges lengths there by up to `zoom`.
    """
    moved = flat - [0.0, centre]
    r = np.linalg.norm(moved, axis=1)
    moved = moved * (1 + (zoom - 1) * np.exp(-((r / radius) ** 2)))[:, None]
    full = moved[whole.half] * np.where(whole.right[:, None], [-1.0, 1.0], 1.0)
    span = max(2 * full[:, 0].max(), np.ptp(full[:, 1])) * 1.02
    middle = 0.5 * (full[:, 1].min() + full[:, 1].max())
    return full / span + [0.5, 0.5 - middle / span]
