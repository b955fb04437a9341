"""The FaceCom architecture on our template's levels, for comparison: encoder and decoder as released.

FeaSt convolutions 3-8-16-32 and 3-64-512-2048; `training.train_facecom_baseline` trains them.
Its three decimations by four are our levels 2, 1, 0 and a coarser one of a quarter of level 0's vertices.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from scipy import sparse as sp
from scipy.spatial import cKDTree
from torch import Tensor, nn

from facecom.geometry.mesh import Floats, unique_edges
from facecom.model.adapters.facecom_files import self_and_neighbour_average
from facecom.model.adapters.facecom_network import LEAKY_SLOPE, FaceComDecoder, FeaStConv, Norm
from facecom.model.network.layers import sparse_product, sparse_tensor
from facecom.model.template import Template

WIDE, NARROW = [3, 64, 512, 2048], [3, 8, 16, 32]


@dataclass(frozen=True)
class Levels:
    """Operators of the levels, fine to coarse: means around each vertex, ways up, and means around those that stay."""

    around: list[Tensor]
    ups: list[Tensor]
    around_kept: list[Tensor]

    def to(self, device: str | torch.device) -> Levels:
        """The same operators on a device."""
        moved = ([matrix.to(device) for matrix in group] for group in (self.around, self.ups, self.around_kept))
        return Levels(*moved)


def levels_of(template: Template) -> Levels:
    """Our levels 2, 1, 0, and a coarser one."""
    around, ups, kept = [], [], []
    for level in (2, 1, 0):
        edges = unique_edges(template.faces[level])[0].T
        around.append(self_and_neighbour_average(np.concatenate([edges, edges[::-1]], axis=1), template.counts[level]))
        if level:
            ups.append(sparse_tensor(template.prolongation(level - 1)))
            kept.append(torch.arange(template.counts[level - 1]))
    points = template.vertices[: template.counts[0]]
    chosen = spread_out(points, len(points) // 4)
    distance, nearest = cKDTree(points[chosen]).query(points, k=3)
    share = 1.0 / (distance + 1e-3)
    entries = ((share / share.sum(1, keepdims=True)).ravel(), (np.repeat(np.arange(len(points)), 3), nearest.ravel()))
    ups.append(sparse_tensor(sp.coo_matrix(entries, shape=(len(points), len(chosen)))))
    kept.append(torch.from_numpy(chosen))
    around_kept = [matrix.index_select(0, rows).coalesce() for matrix, rows in zip(around, kept, strict=True)]
    return Levels(around, ups, around_kept)


def spread_out(points: Floats, count: int) -> np.ndarray:
    """Indices of points, each the farthest from those before it."""
    chosen = [0]
    nearest = np.full(len(points), np.inf)
    for _ in range(count - 1):
        nearest = np.minimum(nearest, np.linalg.norm(points - points[chosen[-1]], axis=1))
        chosen.append(int(np.argmax(nearest)))
    return np.array(chosen)


class Encoder(nn.Module):
    """Standardised coordinates (V, B, 3) -> codes (B, Z)."""

    def __init__(self, code_size: int, levels: Levels) -> None:
        super().__init__()
        self.levels = levels
        steps = range(3)
        self.convs_global = nn.ModuleList([FeaStConv(WIDE[k], WIDE[k + 1]) for k in steps])
        self.convs_local = nn.ModuleList([FeaStConv(NARROW[k], NARROW[k + 1]) for k in steps])
        self.norms_global = nn.ModuleList([Norm(WIDE[k + 1]) for k in steps])
        self.norms_local = nn.ModuleList([Norm(NARROW[k + 1]) for k in steps])
        self.dense = nn.Linear(NARROW[-1] * levels.around[0].shape[0], code_size)
        self.leave = nn.Linear(code_size + WIDE[-1], code_size)

    def forward(self, x: Tensor) -> Tensor:
        """Codes (B, Z)."""
        whole = near = x
        for k in range(3):
            # only the vertices that stay are computed; their statistics stand for those of all
            whole = sparse_product(self.levels.around_kept[k], whole)
            whole = self.convs_global[k].lin(whole) + self.convs_global[k].bias
            whole = nn.functional.leaky_relu(self.norms_global[k](whole), LEAKY_SLOPE)
            near = nn.functional.leaky_relu(
                self.norms_local[k](self.convs_local[k](near, self.levels.around[0])), LEAKY_SLOPE
            )
        whole = nn.functional.leaky_relu(whole.mean(0), LEAKY_SLOPE)
        near = nn.functional.leaky_relu(self.dense(near.transpose(0, 1).flatten(1)), LEAKY_SLOPE)
        return self.leave(torch.cat([whole, near], dim=1))


@torch.no_grad()
def start_at_pca(decoder: FaceComDecoder, levels: Levels, modes: np.ndarray) -> None:
    """Local branch = modes (M, V, 3), standardised: each coordinate goes through as itself and its negative.

    What three means around each vertex blur is given back beforehand, as far as it can be (Landweber's iteration).
    """
    size, count, _ = modes.shape
    wanted = torch.tensor(modes, dtype=torch.float32).permute(1, 0, 2).reshape(count, -1)
    sharp = wanted.clone()
    for _ in range(20):
        blurred = sharp
        for _ in range(decoder.steps):
            blurred = torch.sparse.mm(levels.around[0], blurred)
        sharp += wanted - 0.99 * blurred
    wide, narrow = decoder.wide[-1], decoder.narrow[-1]
    decoder.decoder_lin.weight[wide:] = torch.eye(size) * np.sqrt(size)
    decoder.decoder_lin.bias.zero_()
    features = torch.zeros(count, narrow, size)
    both = sharp.reshape(count, size, 3).transpose(1, 2)
    features[:, :3], features[:, 3:6] = both, -both
    decoder.decoder_local_lin.weight.copy_(features.reshape(-1, size))
    decoder.decoder_local_lin.bias.zero_()
    convs: Any = decoder.decoder_convs_local
    for k, conv in enumerate(convs):
        conv.lin.weight.normal_(0.0, 1e-3)
        joined = torch.eye(3) if k == 0 else torch.cat([torch.eye(3), -torch.eye(3)], dim=1) / (1.0 + LEAKY_SLOPE)
        conv.lin.weight[:3, : joined.shape[1]] = joined
        if len(conv.lin.weight) > 3:
            conv.lin.weight[3:6, : joined.shape[1]] = -joined
