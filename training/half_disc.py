"""The left half of the source surface as a disc: cut at the border of the template and laid flat without flips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from facecom.geometry.mesh import boundary_loops, face_components, unique_edges
from training.ict_surface import Source

# straight pieces of the cut in the ICT frame: (point y, point z, outward y, outward z), mm
CUT = ((-111.0, 0.0, -1.0, 0.0), (0.0, -29.0, 0.0, -1.0), (34.0, -29.0, 0.50, -0.87))
CUT_ROUNDING_MM = 7.0


@dataclass(frozen=True, eq=False)
class HalfDisc:
    """Left half (x >= 0) of the closed surface inside the border, and its flat image.

    matrix, offset : as in `Source`; plane : (V, 2) flat positions, all triangles counter-clockwise
    midline : vertex path from the lower to the upper end of the symmetry line; border : path back, upper to lower end
    labels : bool per vertex
    """

    matrix: sp.csr_matrix
    offset: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    plane: np.ndarray
    midline: np.ndarray
    border: np.ndarray
    labels: dict[str, np.ndarray]


def outside_mm(points: np.ndarray) -> np.ndarray:
    """Smooth signed distance to the template's border, positive beyond it; ICT frame."""
    planes = [(points[:, 1] - y) * ny + (points[:, 2] - z) * nz for y, z, ny, nz in CUT]
    return CUT_ROUNDING_MM * np.log(np.sum([np.exp(p / CUT_ROUNDING_MM) for p in planes], axis=0))


def half_disc(source: Source) -> HalfDisc:
    """Cut the source at midline and border, keep x >= 0, and flatten it."""
    v = source.vertices
    left = source.faces[(v[source.faces][:, :, 0] > -1e-9).all(1)]
    faces, rows = _clip(left, outside_mm(v), v)
    keep = face_components(faces)
    nose = np.argmax((rows @ v)[:, 2])
    faces = faces[keep == keep[(faces == nose).any(1)][0]]
    used = np.unique(faces)
    new = np.full(rows.shape[0], -1)
    new[used] = np.arange(len(used))
    rows, faces = rows[used], new[faces]
    vertices = rows @ v
    labels = {name: (rows @ mask) > 0.999 for name, mask in source.labels.items()}
    vertices[np.abs(vertices[:, 0]) < 1e-9, 0] = 0.0
    loops = boundary_loops(faces)
    if len(loops) != 1:
        raise ValueError(f"the half surface has {len(loops)} border loops, one is needed")
    midline, border = _split_loop(loops[0], vertices)
    plane = flatten(vertices, faces, loops[0])
    return HalfDisc(rows @ source.matrix, rows @ source.offset, vertices, faces, plane, midline, border, labels)


def _clip(faces: np.ndarray, value: np.ndarray, v: np.ndarray) -> tuple[np.ndarray, sp.csr_matrix]:
    """Keep the part where value <= 0; returns faces and the rows that make its vertices from the old ones."""
    value = np.where(np.abs(value) < 0.05, 0.0, value)
    count = len(value)
    edges, edge_of, _ = unique_edges(faces)
    a, b = edges.T
    cross = value[a] * value[b] < 0
    new = np.full(len(edges), -1)
    new[cross] = count + np.arange(cross.sum())
    share = value[a][cross] / (value[a][cross] - value[b][cross])
    at = np.arange(cross.sum())
    cut = sp.coo_matrix(
        (np.concatenate([1 - share, share]), (np.concatenate([at, at]), np.concatenate([a[cross], b[cross]]))),
        shape=(len(at), count),
    )
    rows = sp.vstack([sp.identity(count), cut]).tocsr()
    out = []
    middle = new[edge_of].reshape(3, -1).T
    for face, cuts in zip(faces, middle, strict=True):
        polygon = []
        for k in range(3):
            if value[face[k]] <= 0:
                polygon.append(face[k])
            if cuts[k] >= 0:
                polygon.append(cuts[k])
        if (value[face] < 0).any():
            out += [(polygon[0], polygon[k], polygon[k + 1]) for k in range(1, len(polygon) - 1)]
    return np.array(out), rows


def _split_loop(loop: np.ndarray, vertices: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Midline path from its lower to its upper end, and border path from the upper to the lower end."""
    on = vertices[loop, 0] == 0.0
    starts = np.flatnonzero(on & ~np.roll(on, 1))
    if len(starts) != 1:
        raise ValueError("the midline is not one piece of the border loop")
    loop, on = np.roll(loop, -starts[0]), np.roll(on, -starts[0])
    midline = loop[: on.sum()]
    border = np.concatenate([midline[-1:], loop[on.sum() :], midline[:1]])
    if vertices[midline[0], 1] > vertices[midline[-1], 1]:
        midline, border = midline[::-1], border[::-1]
    return midline, border


def flatten(vertices: np.ndarray, faces: np.ndarray, loop: np.ndarray, *, steps: int = 30) -> np.ndarray:
    """Lay a disc flat with little stretch and no flips: Tutte's map, then SLIM (Rabinovich 2017) from libigl."""
    import igl

    start = tutte(vertices, faces, loop)
    area = (
        0.5
        * np.linalg.norm(
            np.cross(vertices[faces[:, 1]] - vertices[faces[:, 0]], vertices[faces[:, 2]] - vertices[faces[:, 0]]),
            axis=1,
        ).sum()
    )
    start *= np.sqrt(area / np.pi)
    order = {"order": "F"}
    data = igl.slim_precompute(
        np.array(vertices, np.float64, **order),
        np.array(faces, np.int32, **order),
        np.array(start, np.float64, **order),
        igl.MappingEnergyType.SYMMETRIC_DIRICHLET,
        np.zeros(0, np.int32),
        np.zeros((0, 2), order="F"),
        0.0,
    )
    flat = np.asarray(igl.slim_solve(data, steps))[:, :2]
    if signed_areas(flat, faces).min() <= 0:
        raise ValueError("the flat map has flipped triangles")
    return flat


def tutte(vertices: np.ndarray, faces: np.ndarray, loop: np.ndarray) -> np.ndarray:
    """Mean-value map (Floater 2003) of a disc to the unit disc, positive orientation."""
    step = np.linalg.norm(vertices[loop] - vertices[np.roll(loop, 1)], axis=1)
    angle = 2 * np.pi * np.cumsum(step) / step.sum()
    count = len(vertices)
    rows, columns, values = [], [], []
    for k in range(3):
        i, j, o = faces[:, k], faces[:, (k + 1) % 3], faces[:, (k + 2) % 3]
        a, b = vertices[j] - vertices[i], vertices[o] - vertices[i]
        la, lb = np.linalg.norm(a, axis=1), np.linalg.norm(b, axis=1)
        half = np.linalg.norm(np.cross(a, b), axis=1) / np.maximum(la * lb + (a * b).sum(1), 1e-12)
        rows += [i, i]
        columns += [j, o]
        values += [half / la, half / lb]
    weights = sp.coo_matrix(
        (np.concatenate(values), (np.concatenate(rows), np.concatenate(columns))), shape=(count, count)
    ).tocsr()
    inner = np.ones(count, bool)
    inner[loop] = False
    system = (sp.diags(np.asarray(weights.sum(1)).ravel()) - weights).tocsr()
    flat = np.zeros((count, 2))
    flat[loop] = np.stack([np.cos(angle), np.sin(angle)], 1)
    solve = splu(system[inner][:, inner].tocsc()).solve
    flat[inner] = solve(-(system[inner][:, ~inner] @ flat[~inner]))
    return flat


def signed_areas(plane: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """Signed area of each flat triangle."""
    a, b, c = (plane[faces[:, k]] for k in range(3))
    return 0.5 * ((b[:, 0] - a[:, 0]) * (c[:, 1] - a[:, 1]) - (b[:, 1] - a[:, 1]) * (c[:, 0] - a[:, 0]))
