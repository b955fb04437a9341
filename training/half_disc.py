"""The left half of the surface as a disc: cut at the border of the template and laid flat without flips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from facecom.geometry.mesh import boundary_loops, face_components, unique_edges
from facecom.geometry.subdivision import split_faces
from training.closed_surface import MappedSurface

# straight pieces of the cut in the ICT frame: (point y, point z, outward y, outward z), mm
CUT = ((-111.0, 0.0, -1.0, 0.0), (0.0, -29.0, 0.0, -1.0), (34.0, -29.0, 0.50, -0.87))
CUT_ROUNDING_MM = 7.0


@dataclass(frozen=True, eq=False)
class HalfDisc:
    """Left half (x >= 0) of the closed surface inside the border, and its flat image.

    matrix, offset : as in `MappedSurface`; plane : (V, 2) flat positions, all triangles counter-clockwise
    midline : vertex path from the lower to the upper end of the symmetry line; border : path back, upper to lower end
    labels : bool per vertex
    rows : (V, S) the disc's vertices from those of the surface that was cut
    """

    matrix: sp.csr_matrix
    offset: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    plane: np.ndarray
    midline: np.ndarray
    border: np.ndarray
    labels: dict[str, np.ndarray]
    rows: sp.csr_matrix


def outside_mm(points: np.ndarray) -> np.ndarray:
    """Smooth signed distance to the template's border, positive beyond it; ICT frame."""
    planes = [(points[:, 1] - y) * ny + (points[:, 2] - z) * nz for y, z, ny, nz in CUT]
    return CUT_ROUNDING_MM * np.log(np.sum([np.exp(p / CUT_ROUNDING_MM) for p in planes], axis=0))


def half_disc(surface: MappedSurface) -> HalfDisc:
    """Cut the surface at midline and border, keep x >= 0, and flatten it."""
    v = surface.vertices
    left = surface.faces[(v[surface.faces][:, :, 0] > -1e-9).all(1)]
    faces, rows = _clip(left, outside_mm(v), v)
    keep = face_components(faces)
    nose = np.argmax((rows @ v)[:, 2])
    faces = faces[keep == keep[(faces == nose).any(1)][0]]
    used = np.unique(faces)
    new = np.full(rows.shape[0], -1)
    new[used] = np.arange(len(used))
    rows, faces = rows[used], new[faces]
    vertices = rows @ v
    vertices[np.abs(vertices[:, 0]) < 1e-9, 0] = 0.0
    loops = boundary_loops(faces)
    if len(loops) != 1:
        raise ValueError(f"the half surface has {len(loops)} border loops, one is needed")
    midline, border = _split_loop(loops[0], vertices)
    plane = flatten(vertices, faces, loops[0])
    return _disc(surface, rows, faces, plane, midline, border)


def _disc(
    surface: MappedSurface,
    rows: sp.csr_matrix,
    faces: np.ndarray,
    plane: np.ndarray,
    midline: np.ndarray,
    border: np.ndarray,
) -> HalfDisc:
    vertices = rows @ surface.vertices
    vertices[midline, 0] = 0.0
    labels = {name: (rows @ mask) > 0.999 for name, mask in surface.labels.items()}
    matrix, offset = rows @ surface.matrix, rows @ surface.offset
    return HalfDisc(matrix, offset, vertices, faces, plane, midline, border, labels, rows)


def finer_disc(disc: HalfDisc, coarse: MappedSurface, fine: MappedSurface) -> HalfDisc:
    """The disc split 1 to 4 on the next step of the surface's smoothing, without flattening it again.

    coarse : the surface that was cut; fine : the same with one step of smoothing more, whose first vertices are those
    of `coarse`, followed by one for each edge.
    """
    count = len(coarse.vertices)
    edges, _, _ = unique_edges(coarse.faces)
    edge_at = {pair: count + e for e, pair in enumerate(map(tuple, edges.tolist()))}
    single = np.diff(disc.rows.indptr) == 1
    origin = np.where(single, disc.rows.indices[disc.rows.indptr[:-1]], -1)
    old = sp.hstack([disc.rows, sp.csr_matrix((len(origin), len(fine.vertices) - count))]).tocsr()
    faces, parents = split_faces(disc.faces, len(origin))
    found = np.array([edge_at.get((min(p), max(p)), -1) for p in map(tuple, origin[parents].tolist())])
    at = np.flatnonzero(found >= 0)
    smooth = sp.csr_matrix((np.ones(len(at)), (at, found[at])), shape=(len(parents), len(fine.vertices)))
    flat = sp.diags((found < 0) * 0.5) @ (old[parents[:, 0]] + old[parents[:, 1]])
    rows = sp.vstack([old, smooth + flat]).tocsr()
    rows.eliminate_zeros()
    new = {pair: len(origin) + e for e, pair in enumerate(map(tuple, parents.tolist()))}
    plane = np.concatenate([disc.plane, disc.plane[parents].mean(1)])
    paths = [_with_middles(path, new) for path in (disc.midline, disc.border)]
    return _disc(fine, rows, faces, plane, *paths)


def _with_middles(path: np.ndarray, new: dict[tuple[int, int], int]) -> np.ndarray:
    pairs = zip(path[:-1].tolist(), path[1:].tolist(), strict=True)
    middles = [new[min(pair), max(pair)] for pair in pairs]
    out = np.empty(2 * len(path) - 1, dtype=np.int64)
    out[::2], out[1::2] = path, middles
    return out


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
    """Lay a disc flat with little stretch and no flips, from Tutte's map."""
    corners = vertices[faces]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1).sum()
    start = tutte(vertices, faces, loop) * np.sqrt(area / np.pi)
    flat = slim(vertices, faces, start, steps=steps)
    if signed_areas(flat, faces).min() <= 0:
        raise ValueError("the flat map has flipped triangles")
    return flat


def slim(
    vertices: np.ndarray,
    faces: np.ndarray,
    start: np.ndarray,
    *,
    steps: int,
    fixed: np.ndarray | None = None,
    targets: np.ndarray | None = None,
) -> np.ndarray:
    """Least symmetric Dirichlet energy from a start without flips, with `fixed` vertices drawn to `targets`.

    Rabinovich, Poranne, Panozzo, Sorkine-Hornung: Scalable Locally Injective Mappings (2017), as in libigl.
    """
    import igl

    def columns(array: np.ndarray, kind: type) -> np.ndarray:
        return np.asfortranarray(array.astype(kind))

    fixed = np.zeros(0, int) if fixed is None else fixed
    targets = np.zeros((0, 2)) if targets is None else targets
    data = igl.slim_precompute(
        columns(vertices, np.float64),
        columns(faces, np.int32),
        columns(start, np.float64),
        igl.MappingEnergyType.SYMMETRIC_DIRICHLET,
        fixed.astype(np.int32),
        columns(targets, np.float64),
        1e6,
    )
    return np.array(igl.slim_solve(data, steps))[:, :2]


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
