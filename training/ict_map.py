"""The linear map from ICT-FaceKit's vertices to the template's: template = matrix @ ict + offset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import scipy.sparse as sp

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.model.storage import npz_bytes
from training.ict_surface import Ict, left_eye_strip, outer_skin
from training.whole_mesh import Whole


def ict_map(
    whole: Whole, rows: sp.csr_matrix, offset: np.ndarray, ict_mirror: np.ndarray
) -> tuple[sp.csr_matrix, np.ndarray]:
    """Rows over all ICT vertices and constant offsets of the whole mesh, exactly mirror-consistent.

    On the midline the row is the mean of itself and its mirror image.
    """
    order = sp.csr_matrix(
        (np.ones(len(ict_mirror)), (np.arange(len(ict_mirror)), ict_mirror)), shape=2 * (len(ict_mirror),)
    )
    middle = whole.mirror == np.arange(len(whole.mirror))
    left, flipped = rows[whole.half], (rows @ order)[whole.half]
    take = np.where(middle, 0.5, np.where(whole.right, 0.0, 1.0))
    matrix = sp.diags(take) @ left + sp.diags(1 - take) @ flipped
    shift = offset[whole.half] * np.where(whole.right[:, None], [-1.0, 1, 1], 1.0)
    shift[middle, 0] = 0.0
    matrix = matrix.tocsr()
    matrix.sum_duplicates()
    matrix.sort_indices()
    return matrix, shift


def nearest_three(
    whole: Whole, matrix: sp.csr_matrix, ict: Ict, eye: np.ndarray, midline: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The map reduced to one ICT triangle for each template vertex: indices (V, 3) and barycentric weights (V, 3).

    Skin vertices take the closest triangle of the outer ICT skin; those of the eye patch (`eye`, left and right)
    the triangle between the lid margins that their own combination of lid vertices lies on. Less smooth than the
    full map, for readers that want a simple table. The right half is the mirror image of the left one.
    """
    outer = outer_skin(ict)
    skin = outer.faces[(ict.vertices[outer.faces][:, :, 0] >= 0).all(1)]
    places = matrix @ ict.vertices
    left = np.flatnonzero(~whole.right)
    index, weights = np.zeros((len(whole.half), 3), int), np.zeros((len(whole.half), 3))
    for faces, chosen in ((skin, left[~eye[left]]), (left_eye_strip(ict, outer), left[eye[left]])):
        found = Surface(Mesh(ict.vertices, faces)).closest(places[chosen])
        index[chosen], weights[chosen] = faces[found.faces], found.barycentric
    off = midline & ~whole.right
    weights[off] *= np.abs(ict.vertices[index[off], 0]) < 1e-9
    weights /= weights.sum(1, keepdims=True).clip(1e-12)
    index[whole.right] = ict.mirror[index[whole.mirror[whole.right]]]
    weights[whole.right] = weights[whole.mirror[whole.right]]
    return index, weights


def write_map(path: Path, matrix: sp.csr_matrix, offset: np.ndarray, index: np.ndarray, weights: np.ndarray) -> None:
    """Write the full map (CSR: data, indices, indptr, shape; offset) and its three-vertex form."""
    arrays = {
        "data": matrix.data,
        "indices": matrix.indices,
        "indptr": matrix.indptr,
        "shape": np.array(matrix.shape),
        "offset": offset,
        "vertices_index": index.astype(np.int32),
        "weights": weights,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(npz_bytes(arrays))


def read_map(path: Path) -> tuple[sp.csr_matrix, np.ndarray]:
    """Read the full map: matrix (V, N) and offset (V, 3), mm in the face frame."""
    with np.load(path, allow_pickle=False) as table:
        parts = (table["data"], table["indices"], table["indptr"])
        return sp.csr_matrix(parts, shape=tuple(table["shape"])), table["offset"]
