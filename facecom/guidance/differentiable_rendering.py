"""Renders with gradients in the vertices.

Visibility comes from a rasteriser and is held fixed; the values are recomputed in torch: the ray of a pixel meets the
plane of the face that it shows, the meeting point has barycentric coordinates, and these blend what the vertices hold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from facecom.geometry.mesh import Ints, Mesh
from facecom.guidance.camera import Camera
from facecom.guidance.fragments import Fragments
from facecom.guidance.rendering import AMBIENT, HEADLIGHT, Backend, render


@dataclass(frozen=True, eq=False)
class TensorRender:
    """The visible pixels as tensors with gradients.

    pixels : (P,) int64, flat index into the image; depth : (P,), mm; normals : (P, 3), unit, face frame;
    shading : (P,) in 0..1; fragments : the visibility that was held fixed.
    """

    pixels: Tensor
    depth: Tensor
    normals: Tensor
    shading: Tensor
    fragments: Fragments


def render_tensors(
    vertices: Tensor,
    faces: Ints,
    camera: Camera,
    *,
    fragments: Fragments | None = None,
    backend: Backend = "open3d",
    light: ArrayLike = HEADLIGHT,
    ambient: float = AMBIENT,
) -> TensorRender:
    """Depth, normals and shading of the visible pixels, differentiable in the vertices.

    Parameters
    ----------
    vertices : (V, 3) float tensor, mm, face frame
    faces : (F, 3) int
    fragments : visibility to use instead of finding it, such as that of an earlier step
    backend, light, ambient : as in `render`

    Raises
    ------
    ValueError
        When the view shows nothing of the mesh.

    Examples
    --------
    >>> corners = torch.tensor([[-9.0, -9, 0], [9, -9, 0], [0, 9, 0]], dtype=torch.float64, requires_grad=True)
    >>> camera = Camera.orthographic(target=[0, 0, 0], half_mm=10, size=8)
    >>> picture = render_tensors(corners, np.array([[0, 1, 2]]), camera)
    >>> picture.depth.sum().backward()
    >>> round(float(corners.grad[:, 2].sum())) == -len(picture.pixels)
    True
    """
    if fragments is None:
        fragments = render(Mesh(vertices.detach().cpu().numpy(), faces), camera, backend=backend).fragments
    shown = np.flatnonzero(fragments.faces.ravel() >= 0)
    corners = torch.as_tensor(faces[fragments.faces.ravel()[shown]], device=vertices.device)
    origins, directions = (vertices.new_tensor(r.reshape(-1, 3)[shown]) for r in camera.rays())
    depth, weights = _intersect_planes(vertices[corners], origins, directions)
    own = _vertex_normals(vertices, torch.tensor(faces, device=vertices.device))
    normals = torch.nn.functional.normalize((weights[..., None] * own[corners]).sum(1), dim=1)
    toward = np.asarray(light, float) / np.linalg.norm(light) @ camera.axes
    cosine = (normals @ vertices.new_tensor(toward)).clamp(0, 1)
    pixels = torch.as_tensor(shown, device=vertices.device)
    return TensorRender(pixels, depth, normals, ambient + (1 - ambient) * cosine, fragments)


def _intersect_planes(triangles: Tensor, origins: Tensor, directions: Tensor) -> tuple[Tensor, Tensor]:
    """Depth (P,) and barycentric coordinates (P, 3) where rays meet the planes of triangles (P, 3, 3).

    Moeller and Trumbore (1997), equation 6.
    """
    a = triangles[:, 0]
    u, v = triangles[:, 1] - a, triangles[:, 2] - a
    across = torch.linalg.cross(directions, v)
    scale = (u * across).sum(1)
    start = origins - a
    turn = torch.linalg.cross(start, u)
    b = (start * across).sum(1) / scale
    c = (directions * turn).sum(1) / scale
    return (v * turn).sum(1) / scale, torch.stack([1 - b - c, b, c], dim=1)


def _vertex_normals(vertices: Tensor, faces: Tensor) -> Tensor:
    """Area-weighted unit normals (V, 3)."""
    a, b, c = (vertices[faces[:, k]] for k in range(3))
    cross = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total = total.index_add(0, faces[:, k], cross)
    return torch.nn.functional.normalize(total, dim=1)
