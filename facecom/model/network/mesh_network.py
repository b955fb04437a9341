"""The mesh network of the generator: raw codes and vertices as tensors.

The global branch works on levels 0 and 1 and moves their vertices, and with them all finer ones; the local branch moves
the vertices that level 2 adds. All operators come from the template's nesting.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import elu

from facecom.model.network.layers import (
    MeshConv,
    elu_with_tangent,
    full_precision,
    neighbour_average,
    sparse_product,
    sparse_tensor,
)
from facecom.model.template import COARSEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL, Template

LEAST_MODE_POWER = 1e-12
"""Bound on a mode's squared length by which its coefficient is divided, mm2."""
COVARIANCE_RIDGE = 1e-6
"""Added to the variance of each code entry, so that the covariance of a population has a Cholesky factor."""


@dataclass(frozen=True)
class Sizes:
    """How wide the network is."""

    code: int = 128
    """Entries of the code."""
    hidden: int = 64
    """Width between code and coarse mesh."""
    channels: int = 8
    """Features of each vertex in the global branch."""
    fine_channels: int = 4
    """Features of each vertex in the local branch."""


class FaceNetwork(nn.Module):
    """Trunk and network, from raw codes to vertices and back.

    Parameters
    ----------
    template : Template; its vertices are the mean
    modes : (M, V2, 3) float, mm for one standard deviation, on level 2, orthogonal under `weights`
    sizes : Sizes; `sizes.code` is M
    weights : (V2,) of the vertices, for a code; all alike unless given
    description : sources, settings and figures for model.json
    """

    modes: Tensor
    weights: Tensor
    power: Tensor
    centre: Tensor
    spread: Tensor
    mean_vertices: Tensor
    average_0: Tensor
    average_1: Tensor
    average_1_first: Tensor
    average_2: Tensor
    up_0: Tensor
    up_1: Tensor

    def __init__(
        self,
        template: Template,
        modes: np.ndarray,
        *,
        sizes: Sizes | None = None,
        weights: np.ndarray | None = None,
        description: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.template, self.description = template, dict(description or {})
        self.sizes = sizes = sizes or Sizes(code=len(modes))
        counts = template.counts
        if modes.shape != (sizes.code, counts[SHAPE_LEVEL], 3):
            raise ValueError(f"modes must be ({sizes.code}, {counts[SHAPE_LEVEL]}, 3), got {modes.shape}")
        flat = torch.tensor(modes, dtype=torch.float32).reshape(sizes.code, -1)
        weights = np.ones(counts[SHAPE_LEVEL]) if weights is None else weights
        vertex_weights = torch.tensor(weights, dtype=torch.float32)
        power = (flat**2 @ vertex_weights.repeat_interleave(3)).clamp_min(LEAST_MODE_POWER)
        self.register_buffer("modes", flat)
        self.register_buffer("weights", vertex_weights)
        self.register_buffer("power", power, persistent=False)
        self.register_buffer("centre", torch.zeros(sizes.code))
        self.register_buffer("spread", torch.eye(sizes.code))
        self._add_operators()
        self._add_layers()

    def _add_operators(self) -> None:
        template = self.template
        mean = torch.tensor(template.vertices[: template.counts[SHAPE_LEVEL]], dtype=torch.float32)
        self.register_buffer("mean_vertices", mean, persistent=False)
        for level in range(SHAPE_LEVEL + 1):
            average = neighbour_average(template.faces[level], template.counts[level])
            self.register_buffer(f"average_{level}", sparse_tensor(average), persistent=False)
        first = neighbour_average(template.faces[FIT_LEVEL], template.counts[FIT_LEVEL])[
            : template.counts[COARSEST_LEVEL]
        ]
        self.register_buffer("average_1_first", sparse_tensor(first), persistent=False)
        for level in range(SHAPE_LEVEL):
            self.register_buffer(f"up_{level}", sparse_tensor(template.prolongation(level)), persistent=False)
        # DistributedDataParallel sends what is not named here to all processes, and cannot send what is sparse
        self._ddp_params_and_buffers_to_ignore = [name for name, value in self.named_buffers() if value.is_sparse]

    def _add_layers(self) -> None:
        size, coarsest = self.sizes, self.template.counts[COARSEST_LEVEL]
        width, fine = size.channels, size.fine_channels
        self.enter = nn.Linear(size.code, size.hidden)
        self.scatter = nn.Linear(size.hidden, coarsest * width)
        self.conv_0, self.conv_1 = MeshConv(width, width), MeshConv(width, width)
        self.move_coarse = nn.Linear(width, 3)
        self.narrow = nn.Linear(width, fine)
        self.conv_2 = MeshConv(fine, fine)
        self.move_fine = nn.Linear(fine, 3)
        self.see_1, self.see_0 = MeshConv(3, width), MeshConv(width, width)
        self.gather = nn.Linear(coarsest * width, size.hidden)
        self.leave = nn.Linear(size.hidden, size.code)
        for last in (self.move_coarse, self.move_fine, self.leave):
            nn.init.zeros_(last.weight)
            nn.init.zeros_(last.bias)

    def forward(self, vertices: Tensor) -> tuple[Tensor, Tensor]:
        """Vertices (B, V2, 3), mm -> their reconstruction and the raw codes (B, M)."""
        raw = self.encode_raw(vertices)
        return self.decode_raw(raw), raw

    def encode_raw(self, vertices: Tensor) -> Tensor:
        """Raw codes (B, M): coefficients of the trunk's modes, corrected by what they leave over."""
        count, coarsest = self.template.counts[FIT_LEVEL], self.template.counts[COARSEST_LEVEL]
        with full_precision(vertices):
            offset = (vertices - self.mean_vertices).flatten(1)
            coefficients = (offset * self.weights.repeat_interleave(3)) @ self.modes.T / self.power
            residual = offset[:, : 3 * count] - coefficients @ self.modes[:, : 3 * count]
            residual = residual.unflatten(1, (-1, 3)).transpose(0, 1)
        features = elu(self.see_1(residual, self.average_1))[:coarsest]
        features = elu(self.see_0(features, self.average_0)).transpose(0, 1).flatten(1)
        return coefficients + self.leave(elu(self.gather(features)))

    def decode_raw(self, raw: Tensor) -> Tensor:
        """Vertices of level 2, (B, V2, 3), mm, for raw codes."""
        moved, features = self._coarse(raw)
        finer = sparse_product(self.up_1, moved)
        lifted = elu(self.conv_2(sparse_product(self.up_1, self.narrow(features)), self.average_2))
        detail = self.move_fine(lifted)
        count = self.template.counts[FIT_LEVEL]
        residual = torch.cat([finer[:count], finer[count:] + detail[count:]])
        with full_precision(raw):
            trunk = (raw.float() @ self.modes).unflatten(1, (-1, 3))
            return self.mean_vertices + trunk + residual.transpose(0, 1)

    def _coarse(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets (V1, B, 3) of the global branch, and its features."""
        x = self._coarsest_features(elu(self.enter(raw)))
        x = elu(self.conv_0(elu(x), self.average_0))
        x = elu(self.conv_1(sparse_product(self.up_0, x), self.average_1))
        return self.move_coarse(x), x

    def _coarsest_features(self, hidden: Tensor, *, bias: bool = True) -> Tensor:
        """Features (V0, B, C) at the coarsest vertices, before the activation."""
        found = self.scatter(hidden) if bias else hidden @ self.scatter.weight.T
        return found.reshape(len(hidden), -1, self.sizes.channels).transpose(0, 1)

    def bend_derivative(self, raw: Tensor, *, level: int) -> Tensor:
        """Derivative (V, 3, M) of the network on levels 0 to 2 at one raw code (1, M).

        Forward mode beside the values, along the hidden units that the code goes through first: they are fewer than its
        entries. On `COARSEST_LEVEL` the last layer is computed at that level's vertices alone.
        """
        around = self.average_1 if level > COARSEST_LEVEL else self.average_1_first
        count = self.template.counts[FIT_LEVEL]
        hidden, slope = elu_with_tangent(self.enter(raw), torch.ones_like(raw[:, :1]).expand(-1, self.sizes.hidden))
        x, t = elu_with_tangent(
            self._coarsest_features(hidden), self._coarsest_features(torch.diag(_required(slope)[0]), bias=False)
        )
        x, t = self.conv_0(x, self.average_0), self.conv_0.linear(_required(t), self.average_0)
        x, t = elu_with_tangent(x, t)
        x, t = sparse_product(self.up_0, x), sparse_product(self.up_0, _required(t))
        x, t = elu_with_tangent(self.conv_1(x, around), self.conv_1.linear(t, around))
        along = _required(t) @ self.move_coarse.weight.T  # (V, H, 3)
        if level == SHAPE_LEVEL:
            x = sparse_product(self.up_1, self.narrow(x))
            t = sparse_product(self.up_1, _required(t) @ self.narrow.weight.T)
            t = elu_with_tangent(self.conv_2(x, self.average_2), self.conv_2.linear(t, self.average_2))[1]
            along = sparse_product(self.up_1, along)
            along[count:] += _required(t)[count:] @ self.move_fine.weight.T
        return along.transpose(1, 2) @ self.enter.weight

    @torch.no_grad()
    def calibrate(self, raw: Tensor) -> None:
        """Take mean and covariance of the raw codes (N, M) of a population, so that its codes become N(0, I)."""
        if len(raw) <= raw.shape[1]:
            raise ValueError(f"{raw.shape[1]} code entries need more than {len(raw)} faces to be calibrated")
        self.centre.copy_(raw.mean(0))
        # of a single entry torch.cov gives no matrix but a number, which the sum makes one
        ridge = COVARIANCE_RIDGE * torch.eye(raw.shape[1], dtype=torch.double, device=raw.device)
        covariance = torch.cov(raw.double().T) + ridge
        self.spread.copy_(torch.linalg.cholesky(covariance).float())


def _required(t: Tensor | None) -> Tensor:
    if t is None:
        raise RuntimeError("a derivative was asked for, and none was handed on")
    return t
