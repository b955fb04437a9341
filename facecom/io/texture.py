"""Colours of a scan's vertices, looked up in the image that its file names."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Mesh
from facecom.io.files import ScanFile
from facecom.io.reading_warnings import warn
from facecom.io.texture_images import mean_vertex_colors, sample_texture


def with_texture_colors(file: ScanFile) -> Mesh:
    """The mesh of a scan file with a colour for each vertex, where the file has any: its own, or its texture's.

    A vertex on a texture seam gets the mean of its colours. A texture without coordinates is ignored, with a warning.

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
        warn(f"{file.path.name} names a texture but holds no texture coordinates, so it has no colours")
        return mesh
    sampled = sample_texture(file.texture, uv)
    colors = mean_vertex_colors(corners, sampled, len(mesh.vertices))
    return Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, colors=colors, normals=mesh.normals)
