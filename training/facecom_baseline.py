"""The FaceCom architecture on our template's levels, for comparison: encoder, decoder, and its training for some steps.

Layer sizes, losses and step size are those of its released configuration: FeaSt convolutions 3-8-16-32 and
3-64-512-2048, L1 + MSE on standardised coordinates, 0.001 on the code's distance from the unit sphere, Adam 1e-3 and
weight decay 5e-4.
Its three decimations by four are our levels 2, 1, 0 and a coarser one of a quarter of level 0's vertices.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from scipy import sparse as sp
from scipy.spatial import cKDTree
from torch import Tensor, nn

from facecom.geometry.mesh import Floats, unique_edges
from facecom.model.adapters.facecom_files import FaceComSource, mean_around
from facecom.model.adapters.facecom_network import SLOPE, FaceComDecoder, FeaStConv, Norm
from facecom.model.layers import product, sparse
from facecom.model.template import Template

WIDE, NARROW = [3, 64, 512, 2048], [3, 8, 16, 32]


@dataclass(frozen=True)
class Levels:
    """Operators of the levels, fine to coarse: means around each vertex, ways up, and means around those that stay."""

    around: list[Tensor]
    ups: list[Tensor]
    around_kept: list[Tensor]


def levels_of(template: Template) -> Levels:
    """Our levels 2, 1, 0, and a coarser one."""
    around, ups, kept = [], [], []
    for level in (2, 1, 0):
        edges = unique_edges(template.faces[level])[0].T
        around.append(mean_around(np.concatenate([edges, edges[::-1]], axis=1), template.counts[level]))
        if level:
            ups.append(sparse(template.prolongation(level - 1)))
            kept.append(torch.arange(template.counts[level - 1]))
    points = template.vertices[: template.counts[0]]
    chosen = spread_out(points, len(points) // 4)
    distance, nearest = cKDTree(points[chosen]).query(points, k=3)
    share = 1.0 / (distance + 1e-3)
    entries = ((share / share.sum(1, keepdims=True)).ravel(), (np.repeat(np.arange(len(points)), 3), nearest.ravel()))
    ups.append(sparse(sp.coo_matrix(entries, shape=(len(points), len(chosen)))))
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
            whole = product(self.levels.around_kept[k], whole)
            whole = self.convs_global[k].lin(whole) + self.convs_global[k].bias
            whole = nn.functional.leaky_relu(self.norms_global[k](whole), SLOPE)
            near = nn.functional.leaky_relu(
                self.norms_local[k](self.convs_local[k](near, self.levels.around[0])), SLOPE
            )
        whole = nn.functional.leaky_relu(whole.mean(0), SLOPE)
        near = nn.functional.leaky_relu(self.dense(near.transpose(0, 1).flatten(1)), SLOPE)
        return self.leave(torch.cat([whole, near], dim=1))


@dataclass(frozen=True)
class Trained:
    """The decoder in our level-2 topology, steps made, processor minutes, mean error of the last steps (mm)."""

    source: FaceComSource
    steps: int
    minutes: float
    error_mm: float


@dataclass(frozen=True)
class Budget:
    """How long to train: processor minutes; the step size falls to nothing along a cosine of the time used."""

    minutes: float
    batch: int = 32
    rate: float = 1e-3
    seed: int = 0


def train_facecom(faces: np.ndarray, template: Template, *, code_size: int, budget: Budget) -> Trained:
    """Train encoder and decoder on faces (N, V2, 3), mm, from random weights, as its authors do."""
    torch.manual_seed(budget.seed)
    levels = levels_of(template)
    encoder = Encoder(code_size, levels)
    decoder = FaceComDecoder(code_size, WIDE, NARROW, around=levels.around, ups=levels.ups)
    for layer in (encoder.dense, encoder.leave, decoder.decoder_lin, decoder.decoder_local_lin):
        nn.init.normal_(layer.weight, 0.0, 0.1)

    def code_of(x: Tensor, _: np.ndarray) -> Tensor:
        return encoder(x)

    return _train(faces, template, decoder, [encoder, decoder], code_of, budget)


def train_from_pca(
    faces: np.ndarray, template: Template, codes: np.ndarray, modes: np.ndarray, *, budget: Budget
) -> Trained:
    """Train the decoder alone, from weights with which it is PCA but for its smoothing.

    Parameters
    ----------
    codes : (N, M) of the faces, standard normal; modes : (M, V2, 3), mm for one standard deviation
    """
    torch.manual_seed(budget.seed)
    levels = levels_of(template)
    decoder = FaceComDecoder(codes.shape[1], WIDE, NARROW, around=levels.around, ups=levels.ups)
    sd = faces.std(0, dtype=np.float64) + 1e-6
    _start_at_pca(decoder, levels, modes / sd)
    z = torch.tensor(codes / np.sqrt(codes.shape[1]), dtype=torch.float32)
    return _train(faces, template, decoder, [decoder], lambda _, rows: z[torch.from_numpy(rows)], budget)


@torch.no_grad()
def _start_at_pca(decoder: FaceComDecoder, levels: Levels, modes: np.ndarray) -> None:
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
    for k, conv in enumerate(decoder.decoder_convs_local):
        conv.lin.weight.normal_(0.0, 1e-3)
        joined = torch.eye(3) if k == 0 else torch.cat([torch.eye(3), -torch.eye(3)], dim=1) / (1.0 + SLOPE)
        conv.lin.weight[:3, : joined.shape[1]] = joined
        if len(conv.lin.weight) > 3:
            conv.lin.weight[3:6, : joined.shape[1]] = -joined


def _train(
    faces: np.ndarray,
    template: Template,
    decoder: FaceComDecoder,
    parts: list[nn.Module],
    code_of: Callable[[Tensor, np.ndarray], Tensor],
    budget: Budget,
) -> Trained:
    mean, sd = faces.mean(0, dtype=np.float64), faces.std(0, dtype=np.float64) + 1e-6
    weights = [weight for part in parts for weight in part.parameters()]
    optimizer = torch.optim.Adam(weights, lr=budget.rate, weight_decay=5e-4 if len(parts) > 1 else 0.0)
    rng, since = np.random.default_rng(budget.seed), time.process_time()
    errors: list[float] = []
    if len(parts) == 1:
        _keep_statistics(decoder)
    while (share := (time.process_time() - since) / max(60 * budget.minutes, 1e-9)) < 1.0:
        optimizer.param_groups[0]["lr"] = budget.rate * 0.5 * (1.0 + np.cos(np.pi * share))
        rows = np.sort(rng.choice(len(faces), budget.batch, replace=False))
        x = torch.tensor((faces[rows] - mean) / sd, dtype=torch.float32).transpose(0, 1)
        z = code_of(x, rows)
        gap = decoder(z)[0] - x
        loss = gap.abs().mean() + (gap**2).mean() + 1e-3 * ((z.norm(dim=1) - 1.0) ** 2).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        errors.append(float((gap.detach().abs().mean(1) * torch.tensor(sd, dtype=torch.float32)).mean()))
    spent = (time.process_time() - since) / 60
    source = FaceComSource(decoder, template.faces[2], mean, sd)
    return Trained(source, len(errors), spent, float(np.mean(errors[-10:])) if errors else float("nan"))


def _keep_statistics(decoder: FaceComDecoder) -> None:
    """Normalise with the statistics that there are, which leave PCA's features as they are."""
    decoder.eval()
