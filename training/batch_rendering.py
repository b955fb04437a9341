"""Many meshes of one topology in one picture each, by torch: for training, where a graphics card draws thousands a
second. What a pixel shows is what `facecom.guidance.rendering` would show there; the tests hold it to that.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

WINDOWS_PX = (4, 9, 24)
"""Triangles are tried at squares of so many pixels, by their size; what is larger still is drawn in part."""
DEPTH_STEPS = 1e4
"""Steps of depth in a mm, by which the nearest triangle is told."""
TRIANGLE_BITS = 24
CHUNK = 1 << 22
"""Pixels that are tried at a time."""


@dataclass(frozen=True, eq=False)
class Pictures:
    """What N pictures show.

    faces : (N, S, S) int, -1 where nothing or the back of a triangle shows; weights : (N, S, S, 3), barycentric
    """

    faces: Tensor
    weights: Tensor

    @property
    def mask(self) -> Tensor:
        """Pixels that show the front of a triangle."""
        return self.faces >= 0

    def interpolated(self, values: Tensor, triangles: Tensor) -> Tensor:
        """Values (N, V, C) at the vertices, at the pixels: (N, S, S, C); anything where nothing shows."""
        corners = triangles[self.faces.clamp(min=0)]
        rows = torch.arange(len(values), device=values.device)[:, None, None, None]
        return (values[rows, corners] * self.weights[..., None]).sum(3)

    def nearest(self, values: Tensor, triangles: Tensor) -> Tensor:
        """Values (N, V) of the nearest corner at the pixels: (N, S, S)."""
        corners = triangles[self.faces.clamp(min=0)].gather(3, self.weights.argmax(3, keepdim=True))[..., 0]
        return values.gather(1, corners.flatten(1)).reshape(corners.shape)


def rasterise(pixels: Tensor, depth: Tensor, triangles: Tensor, *, size: int) -> Pictures:
    """Find the nearest triangle of each pixel, orthographic.

    Parameters
    ----------
    pixels : (N, V, 2), column then row, the corner of the image at 0
    depth : (N, V), mm, smaller is nearer
    triangles : (F, 3) int
    size : pixels on a side
    """
    corners, heights = pixels[:, triangles], depth[:, triangles]
    first = (corners.amin(2) - 0.5).ceil().clamp(min=0).long()
    last = (corners.amax(2) - 0.5).floor().clamp(max=size - 1).long()
    reach = (last - first + 1).amin(-1).sign() * (last - first + 1).amax(-1)
    buffer = torch.full((len(pixels) * size**2,), torch.iinfo(torch.int64).max, device=pixels.device)
    for smaller, window in zip((0, *WINDOWS_PX), WINDOWS_PX, strict=False):
        last_window = window == WINDOWS_PX[-1]
        chosen = torch.nonzero((reach > smaller) & ((reach <= window) | last_window))
        for part in chosen.split(CHUNK // window**2):
            _draw(buffer, part, corners, heights, first, window=window, size=size)
    empty = buffer == torch.iinfo(torch.int64).max
    faces = torch.where(empty, 0, buffer & ((1 << TRIANGLE_BITS) - 1)).reshape(-1, size, size)
    picture = torch.arange(len(pixels), device=pixels.device)[:, None, None]
    weights, area = _weights(corners[picture, faces], _centres(size, pixels.device))
    # rows grow downwards, so that a front has a negative area
    shown = ~empty.reshape(faces.shape) & (area < 0)
    return Pictures(torch.where(shown, faces, -1), weights)


def _draw(
    buffer: Tensor, chosen: Tensor, corners: Tensor, heights: Tensor, first: Tensor, *, window: int, size: int
) -> None:
    """Put triangles into the buffer of depth and number, the smallest of which wins."""
    picture, face = chosen.T
    steps = torch.arange(window, device=buffer.device)
    at = first[picture, face]
    column, row = at[:, :1, None] + steps, at[:, 1:, None] + steps[:, None]
    column, row = torch.broadcast_tensors(column, row)
    weights, _ = _weights(corners[picture, face][:, None, None], torch.stack([column, row], -1) + 0.5)
    height = (weights * heights[picture, face][:, None, None]).sum(-1)
    inside = (weights >= 0).all(-1) & (column < size) & (row < size)
    key = (height * DEPTH_STEPS).long() << TRIANGLE_BITS | face[:, None, None]
    place = (picture[:, None, None] * size + row) * size + column
    buffer.scatter_reduce_(0, place[inside], key[inside], "amin")


def _weights(corners: Tensor, at: Tensor) -> tuple[Tensor, Tensor]:
    """Barycentric weights (..., 3) of points (..., 2) in triangles (..., 3, 2), and twice the signed areas (...)."""
    a, b, c = corners.unbind(-2)
    area = _cross(b - a, c - a)
    parts = torch.stack([_cross(c - b, at - b), _cross(a - c, at - c), _cross(b - a, at - a)], -1)
    return parts / torch.where(area == 0, torch.inf, area)[..., None], area


def _cross(u: Tensor, v: Tensor) -> Tensor:
    return u[..., 0] * v[..., 1] - u[..., 1] * v[..., 0]


def _centres(size: int, device: torch.device) -> Tensor:
    steps = torch.arange(size, device=device) + 0.5
    row, column = torch.meshgrid(steps, steps, indexing="ij")
    return torch.stack([column, row], -1)


def vertex_normals(vertices: Tensor, triangles: Tensor) -> Tensor:
    """Unit normals (N, V, 3) of meshes (N, V, 3), corners weighed by the area of their triangle."""
    a, b, c = (vertices[:, triangles[:, k]] for k in range(3))
    cross = torch.linalg.cross(b - a, c - a)
    total = torch.zeros_like(vertices)
    for k in range(3):
        total.index_add_(1, triangles[:, k], cross)
    return torch.nn.functional.normalize(total, dim=-1)
