"""Rasterising by pytorch3d where it is installed: on a GPU, and with silhouettes that have gradients."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from facecom.errors import MissingDependency
from facecom.geometry.mesh import Ints, Mesh
from facecom.guidance.camera import Camera
from facecom.guidance.fragments import Fragments

if TYPE_CHECKING:
    from torch import Tensor


def fragments(mesh: Mesh, camera: Camera) -> Fragments:
    """Which face each pixel shows and where in it.

    Raises
    ------
    MissingDependency
        When pytorch3d is absent; it has no wheels and is built from source.
    """
    import torch

    vertices = torch.tensor(mesh.vertices, dtype=torch.float32, device=_device())
    faces, _, weights, _ = _rasterise(vertices, mesh.faces, camera, blur=0.0, per_pixel=1)
    found, shares = faces[..., 0].cpu().numpy().astype(np.int64), weights[..., 0, :].cpu().numpy().astype(float)
    # pytorch3d divides by the triangle's area plus 1e-8, so that the weights of small triangles sum to less than one.
    total = shares.sum(axis=-1, keepdims=True)
    return Fragments(found, np.where((found >= 0)[..., None], shares / np.where(total > 0, total, 1.0), shares))


def soft_mask(
    vertices: Tensor, faces: Ints, camera: Camera, *, softness_px: float = 1.0, per_pixel: int = 20
) -> Tensor:
    """Silhouette (H, W) in 0..1 with gradients in the vertices across its edge.

    Source: Liu et al., Soft Rasterizer (2019), equations 1 and 3: one minus the product over the faces of
    one minus the sigmoid of the signed squared distance.

    Parameters
    ----------
    vertices : (V, 3) float tensor, mm, face frame
    softness_px : distance over which the edge fades, pixels
    per_pixel : faces kept for each pixel
    """
    import torch

    sharp = (2 * softness_px / min(camera.height, camera.width)) ** 2
    found, _, _, squared_distance = _rasterise(vertices, faces, camera, blur=9 * sharp, per_pixel=per_pixel)
    inside = torch.sigmoid(-squared_distance / sharp) * (found >= 0)
    return 1 - torch.prod(1 - inside, dim=-1)


def _device() -> str:
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _rasterise(vertices: Tensor, faces: Ints, camera: Camera, *, blur: float, per_pixel: int) -> Any:
    """pytorch3d's answer for one mesh: faces, depths, weights and squared distances, (H, W, per_pixel, ...)."""
    import torch

    try:
        from pytorch3d.renderer.mesh.rasterize_meshes import rasterize_meshes
        from pytorch3d.structures import Meshes
    except ImportError as error:
        raise MissingDependency(
            "pytorch3d is needed for this backend and not installed; it has no wheels: build it from source "
            "(https://github.com/facebookresearch/pytorch3d), or use the backend 'open3d'"
        ) from error
    screen = to_screen(vertices, camera)
    mesh = Meshes(verts=[screen], faces=[torch.tensor(faces, device=vertices.device)])
    answer = rasterize_meshes(
        mesh,
        image_size=(camera.height, camera.width),
        blur_radius=blur,
        faces_per_pixel=per_pixel,
        perspective_correct=camera.perspective,
        clip_barycentric_coords=blur > 0,
    )
    return [part[0] for part in answer]


def to_screen(vertices: Tensor, camera: Camera) -> Tensor:
    """Vertices in pytorch3d's screen: x to the left, y up, -1..1 over the shorter side; z is the depth in mm."""
    import torch

    local = (vertices - vertices.new_tensor(camera.eye)) @ vertices.new_tensor(camera.axes).T
    depth = -local[:, 2]
    scale = 2 * camera.scale / min(camera.height, camera.width)
    across = local[:, :2] * vertices.new_tensor([-scale, scale])
    if camera.perspective:
        across = across / depth[:, None]
    return torch.cat([across, depth[:, None]], dim=1)
