"""Detail as images in the template's uv: displacement, normals, provenance, and the files they go to."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, face_cross, unit, vertex_normals
from facecom.provenance import Provenance
from facecom.skin.band_filters import Singles
from facecom.skin.image_files import write_exr, write_png16
from facecom.skin.types import Detail

UNCOVERED = 255
"""Provenance of a texel off the patch."""
MAX_STEP = 32767
"""Largest 16-bit sample on either side of zero."""
MIN_LENGTH_MM = 1e-6
"""Least length that the largest sample stands for."""


@dataclass(frozen=True, eq=False)
class DetailMaps:
    """Images of H by W texels; row 0 is v = 1, column 0 is u = 0.

    Parameters
    ----------
    displacement : (H, W) float32, mm along the normals of the subdivided face, zero where there is no detail
    normal : (H, W, 3) float32, unit, tangent space (u, v, out)
    provenance : (H, W) uint8, see `Provenance`, 255 off the patch
    covered : (H, W) bool
    """

    displacement: Singles
    normal: Singles
    provenance: NDArray[np.uint8]
    covered: Bools


def bake_maps(detail: Detail, *, size: int = 2048) -> DetailMaps:
    """Draw a detail's displacement, normals and provenance into the uv of its face.

    Parameters
    ----------
    detail : Detail of a face that has a uv
    size : texels a side

    Raises
    ------
    ValueError
        When the face had no uv, or `size` is not positive.
    """
    uv = detail.smooth.uv
    if uv is None:
        raise ValueError("the face has no uv, so its detail cannot be drawn as maps; give add_detail a face with uv")
    if size < 1:
        raise ValueError(f"size must be positive, got {size}")
    sheet = _upwards(Mesh(np.c_[uv, np.zeros(len(uv))], detail.smooth.faces))
    at = (np.arange(size) + 0.5) / size
    u, v = np.meshgrid(at, at[::-1])
    hits = Surface(sheet).cast(np.stack([u, v, np.ones_like(u)], -1), np.array([0.0, 0.0, -1.0]))
    covered = hits.faces >= 0
    corners, weights = sheet.faces[hits.faces[covered]], hits.barycentric[covered]
    displacement, provenance = np.zeros((size, size), np.float32), np.full((size, size), UNCOVERED, np.uint8)
    normal = np.broadcast_to(np.array([0, 0, 1], np.float32), (size, size, 3)).copy()
    displacement[covered] = np.einsum("tk,tk->t", weights, detail.displacement[corners])
    normal[covered] = unit(np.einsum("tk,tkd->td", weights, tangent_normals(detail)[corners]))
    provenance[covered] = detail.provenance[corners[np.arange(len(corners)), weights.argmax(1)]]
    return DetailMaps(displacement, normal, provenance, covered & (provenance != Provenance.MODEL))


def _upwards(sheet: Mesh) -> Mesh:
    """The flat mesh with every face counter-clockwise, so that rays from above hit front sides."""
    down = face_cross(sheet.vertices, sheet.faces)[:, 2] < 0
    return Mesh(sheet.vertices, np.where(down[:, None], sheet.faces[:, ::-1], sheet.faces))


def tangent_normals(detail: Detail) -> Floats:
    """Normals of the fine mesh in the frame (u direction, v direction, smooth normal) of each vertex, (P, 3).

    Raises
    ------
    ValueError
        When the face had no uv.
    """
    smooth, uv = detail.smooth, detail.smooth.uv
    if uv is None:
        raise ValueError("the face has no uv, so it has no tangent space")
    corners, place = smooth.vertices[smooth.faces], uv[smooth.faces]
    edge, uv_edge = corners[:, 1:] - corners[:, :1], place[:, 1:] - place[:, :1]
    area = uv_edge[:, 0, 0] * uv_edge[:, 1, 1] - uv_edge[:, 0, 1] * uv_edge[:, 1, 0]
    along = (edge[:, 0] * uv_edge[:, 1, 1:] - edge[:, 1] * uv_edge[:, 0, 1:]) * np.sign(area)[:, None]
    out = detail.normals
    total = np.stack([_sum_at_vertices(smooth, along[:, k]) for k in range(3)], axis=1)
    u = unit(total - np.einsum("pd,pd->p", total, out)[:, None] * out)
    flipped = _sum_at_vertices(smooth, area) < 0
    v = np.cross(out, u) * np.where(flipped, -1.0, 1.0)[:, None]
    fine = vertex_normals(detail.mesh.vertices, detail.mesh.faces)
    return np.stack([np.einsum("pd,pd->p", fine, axis) for axis in (u, v, out)], axis=1)


def _sum_at_vertices(mesh: Mesh, values: Floats) -> Floats:
    """Sum over the faces of each vertex of values (F,)."""
    return np.asarray(np.bincount(mesh.faces.ravel(), np.repeat(values, 3), minlength=len(mesh.vertices)), float)


def quantised(values: Floats) -> tuple[NDArray[np.uint16], float]:
    """16-bit samples of signed lengths, of which 32768 is zero, and the mm that one step stands for.

    Examples
    --------
    >>> samples, step = quantised(np.array([0.0, -1.0, 1.0]))
    >>> samples.tolist(), round(32767 * step, 6)
    ([32768, 1, 65535], 1.0)
    """
    largest = float(np.abs(values).max(initial=0.0))
    step = max(largest, MIN_LENGTH_MM) / float(MAX_STEP)
    return (np.rint(np.asarray(values, float) / step) + (MAX_STEP + 1)).astype(np.uint16), step


def write_maps(maps: DetailMaps, folder: str | os.PathLike[str]) -> tuple[str, ...]:
    """Write displacement.exr, displacement.png, normal.png and provenance.png into a folder; returns the paths.

    `displacement.png` says in its text entry `mm_per_step` what one of its steps is; 32768 is zero.
    """
    paths = [os.path.join(folder, f"{name}") for name in ("displacement.exr", "displacement.png", "normal.png")]
    write_exr(paths[0], {"Y": maps.displacement})
    samples, step = quantised(maps.displacement.astype(float))
    write_png16(paths[1], samples, text={"mm_per_step": f"{step:.9g}", "zero": "32768"})
    write_png16(paths[2], np.rint((maps.normal * 0.5 + 0.5) * 65535).astype(np.uint16))
    paths.append(os.path.join(folder, "provenance.png"))
    write_png16(paths[3], maps.provenance.astype(np.uint16), text={"values": "see facecom.Provenance"})
    return tuple(paths)
