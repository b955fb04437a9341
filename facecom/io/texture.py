"""Colours of a scan's vertices, looked up in the image that its file names."""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Mesh
from facecom.io.files import ScanFile

log = logging.getLogger(__name__)

UNKNOWN_GREY = 0.5
"""Colour of a vertex that no texture coordinate belongs to."""


def with_texture_colors(file: ScanFile) -> Mesh:
    """The mesh of a scan file with a colour for each vertex, where the file has any: its own, or its texture's.

    A vertex on a texture seam gets the mean of its colours. A texture without coordinates is ignored and logged.

    Examples
    --------
    >>> from pathlib import Path
    >>> image = np.zeros((2, 2, 3), np.uint8)
    >>> image[0, 1] = 255
    >>> corner = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]], uv=[[1, 1], [0, 0], [0, 1]])
    >>> with_texture_colors(ScanFile(corner, Path("scan.obj"), "float64", texture=image)).colors[:, 0]
    array([1., 0., 0.])
    """
    mesh = file.mesh
    if mesh.colors is not None or file.texture is None:
        return mesh
    corners = mesh.faces.ravel()
    if file.corner_uv is not None:
        uv = np.asarray(file.corner_uv, float).reshape(-1, 2)
    elif mesh.uv is not None:
        corners, uv = np.arange(len(mesh.vertices)), mesh.uv
    else:
        log.warning("%s names a texture but holds no texture coordinates, so it has no colours", file.path)
        return mesh
    sampled = sample_texture(file.texture, uv)
    known = np.isfinite(sampled).all(1)
    number = np.bincount(corners[known], minlength=len(mesh.vertices))
    total = [np.bincount(corners[known], sampled[known, k], minlength=len(number)) for k in range(3)]
    colors = np.where(number > 0, np.array(total) / np.maximum(number, 1), UNKNOWN_GREY).T
    return Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, colors=colors, normals=mesh.normals)


def sample_texture(image: NDArray[np.uint8], uv: Floats) -> Floats:
    """Colours (N, 3) in 0..1 at places (N, 2) of an image (H, W, 3), u to the right, v up, repeated beyond 0..1."""
    known = np.asarray(np.isfinite(uv).all(axis=1), bool)
    beyond = (uv < 0) | (uv > 1)
    place = np.where(known[:, None], np.where(beyond, uv % 1.0, uv), 0.0)
    size = np.array(image.shape[:2])
    row = np.rint((1.0 - place[:, 1]) * (size[0] - 1)).astype(np.int64)
    column = np.rint(place[:, 0] * (size[1] - 1)).astype(np.int64)
    return np.where(known[:, None], image[row, column, :3] / 255.0, np.nan)
