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

from facecom.model.network.layers import MeshConv, bent, exact, neighbour_average, product, sparse
from facecom.model.template import COARSEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL, Template


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
    """Trunk and network, both ways between raw codes and vertices.

    Parameters
    ----------
    template : Template; its vertices are the mean
    modes : (M, V2, 3) float, mm for one standard deviation, on level 2, orthogonal under `weights`
    sizes : Sizes; `sizes.code` is M
    weights : (V2,) how much each vertex counts; all alike unless given
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
        trust = torch.ones(counts[SHAPE_LEVEL]) if weights is None else torch.tensor(weights, dtype=torch.float32)
        self.register_buffer("modes", flat)
        self.register_buffer("weights", trust)
        self.register_buffer("power", (flat**2 @ trust.repeat_interleave(3)).clamp_min(1e-12), persistent=False)
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
            self.register_buffer(f"average_{level}", sparse(average), persistent=False)
        first = neighbour_average(template.faces[FIT_LEVEL], template.counts[FIT_LEVEL])[
            : template.counts[COARSEST_LEVEL]
        ]
        self.register_buffer("average_1_first", sparse(first), persistent=False)
        for level in range(SHAPE_LEVEL):
            self.register_buffer(f"up_{level}", sparse(template.prolongation(level)), persistent=False)
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
        """Raw codes (B, M): where the trunk is nearest, corrected by what it leaves over."""
        count, coarsest = self.template.counts[FIT_LEVEL], self.template.counts[COARSEST_LEVEL]
        with exact(vertices):
            offset = (vertices - self.mean_vertices).flatten(1)
            near = (offset * self.weights.repeat_interleave(3)) @ self.modes.T / self.power
            left = (offset[:, : 3 * count] - near @ self.modes[:, : 3 * count]).unflatten(1, (-1, 3)).transpose(0, 1)
        seen = bent(self.see_1(left, self.average_1))[0][:coarsest]
        seen = bent(self.see_0(seen, self.average_0))[0].transpose(0, 1).flatten(1)
        return near + self.leave(bent(self.gather(seen))[0])

    def decode_raw(self, raw: Tensor) -> Tensor:
        """Vertices of level 2, (B, V2, 3), mm, for raw codes."""
        moved, features = self._coarse(raw)
        finer = product(self.up_1, moved)
        lifted = bent(self.conv_2(product(self.up_1, self.narrow(features)), self.average_2))[0]
        detail = self.move_fine(lifted)
        count = self.template.counts[FIT_LEVEL]
        residual = torch.cat([finer[:count], finer[count:] + detail[count:]])
        with exact(raw):
            trunk = (raw.float() @ self.modes).unflatten(1, (-1, 3))
            return self.mean_vertices + trunk + residual.transpose(0, 1)

    def _coarse(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """Offsets (V1, B, 3) of the global branch, and its features."""
        x = self._seeds(bent(self.enter(raw))[0])
        x = bent(self.conv_0(bent(x)[0], self.average_0))[0]
        x = bent(self.conv_1(product(self.up_0, x), self.average_1))[0]
        return self.move_coarse(x), x

    def _seeds(self, hidden: Tensor, *, bias: bool = True) -> Tensor:
        """Features (V0, B, C) at the coarsest vertices, before they are bent."""
        found = self.scatter(hidden) if bias else hidden @ self.scatter.weight.T
        return found.reshape(len(hidden), -1, self.sizes.channels).transpose(0, 1)

    def bend_derivative(self, raw: Tensor, *, level: int) -> Tensor:
        """Derivative (V, 3, M) of the network on levels 0 to 2 at one raw code (1, M).

        It runs beside the values (forward mode, every layer is linear but `bent`), along the hidden units that the code
        goes through first: they are fewer than its entries. On level 0 the last layer is left out where nobody looks.
        """
        around = self.average_1 if level > COARSEST_LEVEL else self.average_1_first
        count = self.template.counts[FIT_LEVEL]
        hidden, slope = bent(self.enter(raw), torch.ones_like(raw[:, :1]).expand(-1, self.sizes.hidden))
        x, t = bent(self._seeds(hidden), self._seeds(torch.diag(_given(slope)[0]), bias=False))
        x, t = self.conv_0(x, self.average_0), self.conv_0.linear(_given(t), self.average_0)
        x, t = bent(x, t)
        x, t = product(self.up_0, x), product(self.up_0, _given(t))
        x, t = bent(self.conv_1(x, around), self.conv_1.linear(t, around))
        along = _given(t) @ self.move_coarse.weight.T  # (V, H, 3)
        if level == SHAPE_LEVEL:
            x, t = product(self.up_1, self.narrow(x)), product(self.up_1, _given(t) @ self.narrow.weight.T)
            t = bent(self.conv_2(x, self.average_2), self.conv_2.linear(t, self.average_2))[1]
            along = product(self.up_1, along)
            along[count:] += _given(t)[count:] @ self.move_fine.weight.T
        return along.transpose(1, 2) @ self.enter.weight

    @torch.no_grad()
    def calibrate(self, raw: Tensor) -> None:
        """Take mean and covariance of the raw codes (N, M) of a population, so that its codes become N(0, I)."""
        if len(raw) <= raw.shape[1]:
            raise ValueError(f"{raw.shape[1]} code entries need more than {len(raw)} faces to be calibrated")
        self.centre.copy_(raw.mean(0))
        covariance = torch.cov(raw.double().T) + 1e-6 * torch.eye(raw.shape[1], dtype=torch.double, device=raw.device)
        self.spread.copy_(torch.linalg.cholesky(covariance).float())


def _given(t: Tensor | None) -> Tensor:
    if t is None:
        raise RuntimeError("no derivative came along")
    return t
