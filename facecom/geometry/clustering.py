"""Points grouped by the cells of a grid, and meshes made coarser by it."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh, has_distinct_corners


def grid_cells(points: Floats, *, size: float) -> Ints:
    """Number of the cell of a cubic grid in which each point lies, (N,); the grid begins at the least coordinates.

    Examples
    --------
    >>> grid_cells(np.array([[0, 0, 0], [0.5, 0, 0.9], [0, 0, 2.5]]), size=1.0).tolist()
    [0, 0, 2]
    """
    cell = np.floor((points - points.min(axis=0)) / size).astype(np.int64)
    shape = cell.max(axis=0) + 1
    return (cell[:, 0] * shape[1] + cell[:, 1]) * shape[2] + cell[:, 2]


def cluster_vertices(mesh: Mesh, *, cell_mm: float) -> tuple[Mesh, Ints]:
    """Coarser mesh whose vertices are the means of those in each cell of a grid, and the cell of each old vertex.

    Source: Rossignac and Borrel, Multi-resolution 3D approximations for rendering complex scenes (1993).
    """
    _, owner = np.unique(grid_cells(mesh.vertices, size=cell_mm), return_inverse=True)
    owner = owner.ravel()
    count = np.bincount(owner)
    centres = np.stack([np.bincount(owner, mesh.vertices[:, k]) for k in range(3)], axis=1) / count[:, None]
    faces = owner[mesh.faces]
    faces = faces[has_distinct_corners(faces)]
    _, first = np.unique(np.sort(faces, axis=1), axis=0, return_index=True)
    return Mesh(centres, faces[np.sort(first)]), owner.astype(np.int64)
