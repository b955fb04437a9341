"""The closed symmetric surface that the template samples, as linear combinations of ICT-FaceKit vertices.

Eyes are closed by a patch on the eyeball and the lips by a narrow strip between their rims. Every point of the result
is `matrix @ ict + offset`, so that any ICT mode is carried to it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from training.eye_patch import eye_patch
from training.ict_surface import EYEBALLS, HEAD, Ict, outer_skin


@dataclass(frozen=True, eq=False)
class MappedSurface:
    """A surface tied to ICT: vertices == matrix @ ict + offset; curves are vertex index arrays."""

    matrix: sp.csr_matrix
    offset: np.ndarray
    vertices: np.ndarray
    faces: np.ndarray
    mirror: np.ndarray
    labels: dict[str, np.ndarray]  # bool per vertex: eye_l, eye_r, lid_l, lid_r, seam, nostril


def close_surface(ict: Ict) -> MappedSurface:
    """Head surface with eyes and lips closed; its only border is the ICT neck's."""
    v = ict.vertices
    outer = outer_skin(ict)
    faces = outer.faces
    offset = np.zeros((HEAD, 3))
    matrix = sp.identity(len(v), format="csr")[:HEAD]
    count = HEAD
    mirror = ict.mirror[:HEAD].copy()
    eyes = {}
    blocks, offsets = [], []
    for side, ring in zip("lr", outer.lids, strict=True):
        block, extra, shift = eye_patch(ict, ring, EYEBALLS[side == "r"], count)
        if side == "r":
            extra = extra[:, ::-1]
        faces = np.concatenate([faces, extra])
        blocks.append(block)
        offsets.append(shift)
        eyes[side] = (ring, np.arange(count, count + block.shape[0]))
        count += block.shape[0]
    mirror = np.concatenate([mirror, eyes["r"][1], eyes["l"][1]])
    matrix = sp.vstack([matrix, *blocks]).tocsr()
    offset = np.concatenate([offset, *offsets])
    offset = 0.5 * (offset + offset[mirror] * [-1, 1, 1])
    labels = {name: np.zeros(count, bool) for name in ("eye_l", "eye_r", "lid_l", "lid_r", "seam")}
    for side in "lr":
        labels[f"lid_{side}"][eyes[side][0]] = True
        labels[f"eye_{side}"][eyes[side][1]] = True
    for k, name in enumerate(("rim_upper", "rim_lower")):
        labels[name] = np.zeros(count, bool)
        labels[name][np.concatenate([outer.rims[:, k], ict.mirror[outer.rims[:, k]]])] = True
    labels["seam"][[outer.lip_corner, ict.mirror[outer.lip_corner]]] = True
    return _compact(MappedSurface(matrix, offset, matrix @ v + offset, faces, mirror, labels))


def _compact(surface: MappedSurface) -> MappedSurface:
    used = np.unique(surface.faces)
    new = np.full(len(surface.vertices), -1)
    new[used] = np.arange(len(used))
    return MappedSurface(
        surface.matrix[used],
        surface.offset[used],
        surface.vertices[used],
        new[surface.faces],
        new[surface.mirror[used]],
        {name: mask[used] for name, mask in surface.labels.items()},
    )
