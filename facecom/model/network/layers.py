"""Layers on meshes with fixed triangles: features are (V, B, C) for vertices, batch and channels."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor, nn

from facecom.geometry.mesh import Ints, vertex_adjacency


def sparse_tensor(matrix: sp.spmatrix) -> Tensor:
    """A scipy matrix as a float32 tensor."""
    coo = sp.coo_matrix(matrix)
    index = torch.tensor(np.stack([coo.row, coo.col]), dtype=torch.int64)
    values = torch.tensor(coo.data, dtype=torch.float32)
    return torch.sparse_coo_tensor(index, values, coo.shape, check_invariants=False).coalesce()


def full_precision(like: Tensor) -> torch.autocast:
    """Context without mixed precision: half precision would cost hundredths of a millimetre."""
    return torch.autocast(like.device.type, enabled=False)


def sparse_product(matrix: Tensor, features: Tensor) -> Tensor:
    """Sparse (W, V) times features (V, B, C): (W, B, C); in float32 under mixed precision too."""
    with full_precision(features):
        product = torch.sparse.mm(matrix, features.float().flatten(1))
    return product.unflatten(1, features.shape[1:])


def neighbour_average(faces: Ints, count: int) -> sp.csr_matrix:
    """Matrix (V, V) that takes the mean of each vertex's neighbours."""
    adjacency = (vertex_adjacency(faces, count) > 0).astype(float)
    degree = np.maximum(np.asarray(adjacency.sum(axis=1)).ravel(), 1.0)
    return (sp.diags(1.0 / degree) @ adjacency).tocsr()


def elu_with_tangent(x: Tensor, t: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
    """The activation (ELU) of x, and the derivative along a tangent t (same shape as x but for the batch)."""
    y = nn.functional.elu(x)
    return y, None if t is None else torch.where(y > 0, 1.0, y + 1.0) * t


class MeshConv(nn.Module):
    """Graph convolution: own features and the mean of the neighbours', each through a matrix.

    The matrix of means may have fewer rows than there are vertices: the result then holds the first vertices alone.
    """

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.own = nn.Linear(channels, out_channels)
        self.around = nn.Linear(channels, out_channels, bias=False)

    def forward(self, x: Tensor, average: Tensor) -> Tensor:
        """Features (V, B, C) -> (V, B, D)."""
        return self.own(x[: average.shape[0]]) + self.around(sparse_product(average, x))

    def linear(self, t: Tensor, average: Tensor) -> Tensor:
        """The part that is linear: `forward` without the bias."""
        return t[: average.shape[0]] @ self.own.weight.T + sparse_product(average, t) @ self.around.weight.T
