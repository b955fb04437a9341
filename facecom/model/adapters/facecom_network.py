"""The decoder of FaceCom (CVPR 2024), written afresh from its published architecture.

A code z of 256 entries near the unit sphere goes through a dense layer and then two branches. Global: its leading part
stands at every vertex of the coarsest of four levels and is interpolated upwards, a convolution after each step. Local:
a dense layer gives features at every vertex of the finest level, smoothed by three convolutions there. The result is
0.01 global + 0.99 local, in units of each coordinate's mean and standard deviation.

What starts alike at every vertex stays alike wherever the ways up keep constants, as barycentric ones do: there the
global branch is a translation, and one vertex is computed for all.

The convolution is FeaSt (Verma, Boyer, Verbeek, CVPR 2018): `b + mean over j of sum_h q_h(x_j - x_i) W_h x_j`, j the
neighbours and the vertex itself, q a softmax over heads. FaceCom has one head, so q is 1.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from facecom.model.network.layers import sparse_product

GLOBAL_SHARE = 0.01
"""Share of the global branch in the answer."""
LEAKY_SLOPE = 0.01
"""Of the leaky ReLU below zero."""


class FeaStConv(nn.Module):
    """One-head feature-steered convolution on (V, B, C); parameters are named as PyTorch Geometric names them."""

    def __init__(self, channels: int, out_channels: int) -> None:
        super().__init__()
        self.lin = nn.Linear(channels, out_channels, bias=False)
        self.u = nn.Linear(channels, 1, bias=False)
        self.c = nn.Parameter(torch.zeros(1))
        self.bias = nn.Parameter(torch.zeros(out_channels))

    def forward(self, x: Tensor, around: Tensor) -> Tensor:
        """`around` takes the mean of each vertex and its neighbours; the softmax over one head is 1."""
        return self.linear(x, around) + self.bias

    def linear(self, x: Tensor, around: Tensor) -> Tensor:
        """`forward` without the bias; whichever is narrower, input or output, is averaged."""
        if self.lin.in_features < self.lin.out_features:
            return self.lin(sparse_product(around, x))
        return sparse_product(around, self.lin(x))


class Norm(nn.Module):
    """Batch normalisation of the last axis, under the name that PyTorch Geometric gives it."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.module = nn.BatchNorm1d(channels)

    def forward(self, x: Tensor) -> Tensor:
        """Features (V, B, C) -> the same shape."""
        return self.module(x.flatten(0, 1)).reshape(x.shape)

    def linear(self, t: Tensor) -> Tensor:
        """`forward` in evaluation, without the shift."""
        if self.module.running_var is None:
            raise RuntimeError("the normalisation has no statistics")
        return t * (self.module.weight / torch.sqrt(self.module.running_var + self.module.eps))


class FaceComDecoder(nn.Module):
    """Codes z (B, Z) -> standardised coordinates (V, B, 3).

    Parameters
    ----------
    code_size : Z
    wide, narrow : features of the global and the local branch, fine to coarse; the first is 3
    around : for each level but the coarsest, sparse (V, V): the mean of each vertex and its neighbours
    ups : for each level but the coarsest, (V_k, V_k+1) matrix that carries features to it
    """

    def __init__(
        self, code_size: int, wide: list[int], narrow: list[int], *, around: list[Tensor], ups: list[Tensor]
    ) -> None:
        super().__init__()
        steps = len(ups)
        if not len(around) == steps == len(wide) - 1 == len(narrow) - 1:
            raise ValueError(f"{len(wide)} and {len(narrow)} widths need as many levels, got {len(ups)} matrices")
        for k in range(steps):
            self.register_buffer(f"around_{k}", around[k], persistent=False)
            self.register_buffer(f"up_{k}", ups[k], persistent=False)
        self.steps, self.wide, self.narrow = steps, wide, narrow
        self.constant = all(_keeps_constants(matrix) for matrix in [*ups, *around])
        down = range(steps, 0, -1)
        self.decoder_convs_global = nn.ModuleList([FeaStConv(wide[k], wide[k - 1]) for k in down])
        self.decoder_convs_local = nn.ModuleList([FeaStConv(narrow[k], narrow[k - 1]) for k in down])
        self.decoder_bns_global = nn.ModuleList([Norm(c) for c in reversed(wide)])
        self.decoder_bns_local = nn.ModuleList([Norm(c) for c in reversed(narrow)])
        self.decoder_lin = nn.Linear(code_size, code_size + wide[-1])
        self.decoder_local_lin = nn.Linear(code_size, narrow[-1] * ups[0].shape[0])

    def forward(self, z: Tensor, along: Tensor | None = None) -> tuple[Tensor, Tensor | None]:
        """Coordinates, and their derivative (V, K, 3) along `along` (K, Z) for a single z."""
        x, t = self.decoder_lin(z), None if along is None else along @ self.decoder_lin.weight.T
        split, count = self.wide[-1], 1 if self.constant else self._up(-1).shape[1]
        start, start_t = _broadcast_to_vertices(x[:, :split], count), _broadcast_to_vertices(t, count, split)
        whole = self._branch(start, start_t, local=False)
        near = self.decoder_local_lin(x[:, split:]).reshape(len(x), -1, self.narrow[-1]).transpose(0, 1)
        near_t = None
        if t is not None:
            near_t = t[:, split:] @ self.decoder_local_lin.weight.T
            near_t = near_t.reshape(len(t), -1, self.narrow[-1]).transpose(0, 1)
        detail = self._branch(near, near_t, local=True)
        mixed = [None if a is None or b is None else GLOBAL_SHARE * a + (1 - GLOBAL_SHARE) * b
                 for a, b in zip(whole, detail, strict=True)]  # fmt: skip
        if mixed[0] is None:
            raise RuntimeError("no coordinates came out")
        return mixed[0], mixed[1]

    def _up(self, k: int) -> Tensor:
        found: Tensor = getattr(self, f"up_{k % self.steps}")
        return found

    def _branch(self, x: Tensor, t: Tensor | None, *, local: bool) -> tuple[Tensor, Tensor | None]:
        convs: Any = self.decoder_convs_local if local else self.decoder_convs_global
        norms: Any = self.decoder_bns_local if local else self.decoder_bns_global
        for k, conv in enumerate(convs):
            level = 0 if local else self.steps - 1 - k
            around = getattr(self, f"around_{level}")
            if local or not self.constant:
                if not local:
                    x, t = sparse_product(self._up(level), x), None if t is None else sparse_product(self._up(level), t)
                x, t = conv(x, around), None if t is None else conv.linear(t, around)
            else:
                x, t = conv.lin(x) + conv.bias, None if t is None else conv.lin(t)
            if k < self.steps - 1:
                x, t = norms[k + 1](x), None if t is None else norms[k + 1].linear(t)
                slope = torch.where(x > 0, 1.0, LEAKY_SLOPE)
                x, t = x * slope, None if t is None else t * slope
        return x, t


def _broadcast_to_vertices(x: Tensor | None, count: int, split: int | None = None) -> Any:
    """The same features (B, C) at each of `count` vertices, (V, B, C)."""
    return None if x is None else x[None, :, :split].expand(count, -1, -1)


def _keeps_constants(matrix: Tensor) -> bool:
    sums = torch.sparse.sum(matrix, dim=1).to_dense()
    return bool((sums - 1.0).abs().max() < 1e-5)
