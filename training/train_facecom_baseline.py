"""Training FaceCom's architecture by its own recipe, for the comparison in benchmarks/generators.py.

Losses and steps are those of its released configuration: L1 + MSE on standardised coordinates, 0.001 on the code's
distance from the unit sphere, Adam 1e-3 with weight decay 5e-4, epochs over all faces. The step size stays for the
first six tenths of the processor minutes told and falls to nothing along a cosine.

What makes a step cheap changes nothing in it: Adam in one pass, large products in bfloat16, and memory that the
allocator keeps (MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=100000000000 in the environment: 3.1 to 1.05 seconds).
State is written now and then; a run that was stopped goes on, also with another number of minutes.

On a GPU (`Budget.device`) minutes are those of the clock, since the processor only waits.
"""

from __future__ import annotations

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from facecom.errors import CheckpointError
from facecom.model.adapters.facecom_files import FaceComSource
from facecom.model.adapters.facecom_network import FaceComDecoder
from facecom.model.storage import StorageFormat, read_stored, write_stored
from facecom.model.template import SHAPE_LEVEL, Template
from training.facecom_baseline import NARROW, WIDE, Encoder, levels_of, start_at_pca

LOG = logging.getLogger(__name__)
STATE = StorageFormat("facecom-baseline-training", 1)
HELD, LAST = 0.6, 47
"""Share of the minutes before the step size falls; how many errors besides the newest are averaged."""


@dataclass(frozen=True)
class Trained:
    """The decoder in our level-2 topology, steps made, minutes, mean error of the last steps (mm)."""

    source: FaceComSource
    steps: int
    minutes: float
    error_mm: float


@dataclass(frozen=True)
class Budget:
    """How long to train, in minutes of the processor or, on a GPU, of the clock, and how."""

    minutes: float
    batch: int = 32
    rate: float = 1e-3
    keep_every: float = 6.0
    """Minutes from one state on disk, where a folder is told, and one line of the log to the next."""
    seed: int = 0
    device: str = "cpu"

    def rate_at(self, share: float) -> float:
        """Step size after a share of the minutes."""
        return self.rate * 0.5 * (1.0 + np.cos(np.pi * np.clip((share - HELD) / (1.0 - HELD), 0.0, 1.0)))


def train_facecom(
    faces: np.ndarray, template: Template, *, code_size: int, budget: Budget, folder: Path | None = None
) -> Trained:
    """Train encoder and decoder on faces (N, V2, 3), mm, from random weights; a folder keeps state and curve."""
    torch.manual_seed(budget.seed)
    levels = levels_of(template)
    encoder = Encoder(code_size, levels.to(budget.device))
    decoder = FaceComDecoder(code_size, WIDE, NARROW, around=levels.around, ups=levels.ups)
    for layer in (encoder.dense, encoder.leave, decoder.decoder_lin, decoder.decoder_local_lin):
        nn.init.normal_(layer.weight, 0.0, 0.1)
    run = _TrainingRun(faces, decoder, encoder, budget, folder)
    return run.trained(lambda x, _: encoder(x), template)


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
    run = _TrainingRun(faces, decoder, None, budget, None)
    start_at_pca(decoder, levels, modes / run.deviation)
    decoder.eval()  # the statistics that there are leave PCA's features as they are
    z = torch.tensor(codes / np.sqrt(codes.shape[1]), dtype=torch.float32, device=run.device)
    return run.trained(lambda _, rows: z[rows], template)


class _TrainingRun:
    """Networks, optimizer, faces and what was spent."""

    def __init__(
        self, faces: np.ndarray, decoder: FaceComDecoder, encoder: Encoder | None, budget: Budget, folder: Path | None
    ) -> None:
        self.decoder, self.budget, self.folder = decoder, budget, folder
        self.device = torch.device(budget.device)
        self.clock = time.process_time if self.device.type == "cpu" else time.perf_counter
        self.mean, self.deviation = faces.mean(0, dtype=np.float64), faces.std(0, dtype=np.float64) + 1e-6
        self.faces = torch.stack([self.standardised(face) for face in faces]).to(self.device)
        self.scale_mm = torch.tensor(self.deviation, dtype=torch.float32, device=self.device)
        self.parts = nn.ModuleDict({"decoder": decoder} | ({} if encoder is None else {"encoder": encoder}))
        self.parts.to(self.device)
        decay = 0.0 if encoder is None else 5e-4
        self.optimizer = torch.optim.Adam(self.parts.parameters(), lr=budget.rate, weight_decay=decay, fused=True)
        self.steps, self.minutes = 0, 0.0
        self.errors: list[float] = []

    def standardised(self, face: np.ndarray) -> Tensor:
        """Coordinates of a face in units of each coordinate's deviation from the mean."""
        return torch.tensor((face - self.mean) / self.deviation, dtype=torch.float32)

    @property
    def error_mm(self) -> float:
        """Mean of the last steps' errors; nan before the first."""
        return float(np.mean(self.errors)) if self.errors else float("nan")

    def trained(self, code_of: Callable[[Tensor, Tensor], Tensor], template: Template) -> Trained:
        """Train until the minutes are spent."""
        self.resume()
        since, before, kept = self.clock(), self.minutes, self.minutes
        while self.minutes < self.budget.minutes:
            error = self.step(code_of)
            self.errors = [*self.errors[-LAST:], error]
            self.steps += 1
            self.minutes = before + (self.clock() - since) / 60
            if self.minutes - kept > self.budget.keep_every:
                kept = self.minutes
                self.keep()
        if self.folder is not None and self.minutes > kept:
            self.keep()
        self.decoder.eval()
        if "encoder" in self.parts and self.steps:
            self.calibrate()
        source = FaceComSource(self.decoder.cpu(), template.faces[SHAPE_LEVEL], self.mean, self.deviation)
        return Trained(source, self.steps, self.minutes, self.error_mm)

    def step(self, code_of: Callable[[Tensor, Tensor], Tensor]) -> float:
        """One step; its mean absolute coordinate error in mm."""
        for group in self.optimizer.param_groups:
            group["lr"] = self.budget.rate_at(self.minutes / self.budget.minutes)
        rows = torch.from_numpy(self.rows()).to(self.device)
        x = self.faces[rows].transpose(0, 1)
        with torch.autocast(self.device.type, torch.bfloat16):
            z = code_of(x, rows).float()
            gap = self.decoder(z)[0].float() - x
        loss = gap.abs().mean() + (gap**2).mean() + 1e-3 * ((z.norm(dim=1) - 1.0) ** 2).mean()
        self.optimizer.zero_grad()
        loss.backward()
        self.optimizer.step()
        return float((gap.detach().abs().mean(1) * self.scale_mm).mean())

    @torch.no_grad()
    def calibrate(self) -> None:
        """Put mean and covariance of the training faces' codes into the first layer: codes N(0, I) are then such faces.

        A linear map before a linear layer changes neither the architecture nor the faces that it can make; without it
        the prior of the fit would say nothing true of a code that was held near a sphere and no more.
        """
        encoder = self.parts["encoder"].eval()
        z = torch.cat([encoder(part.transpose(0, 1)).double().cpu() for part in self.faces.split(64)])
        values, vectors = torch.linalg.eigh(torch.cov(z.T))
        spread = (vectors * values.clamp_min(1e-12).sqrt()).flip(1) * np.sqrt(z.shape[1])
        enter = self.decoder.decoder_lin
        weight = enter.weight.double().cpu()
        enter.bias.copy_(enter.bias.double().cpu() + weight @ z.mean(0))
        enter.weight.copy_(weight @ spread)

    def rows(self) -> np.ndarray:
        """Which faces the next step takes: each epoch takes all in an order of its own."""
        each = max(len(self.faces) // self.budget.batch, 1)
        order = np.random.default_rng((self.budget.seed, self.steps // each)).permutation(len(self.faces))
        return np.sort(order[self.steps % each :: each][: self.budget.batch])

    def keep(self) -> None:
        """Write the state, whole or not at all, and a line of the curve."""
        LOG.info("%.1f min, %d steps, %.3f mm", self.minutes, self.steps, self.error_mm)
        if self.folder is None:
            return
        arrays = {f"weights.{name}": value.cpu().numpy() for name, value in self.parts.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": value.cpu().numpy() for name, value in moments.items()}
        text = {"steps": self.steps, "minutes": self.minutes, "errors": self.errors, "seed": self.budget.seed}
        partial, state = self.folder / "state.partial", self.folder / "state"
        write_stored(partial, arrays, text, kind=STATE)
        shutil.rmtree(state, ignore_errors=True)
        partial.rename(state)
        with (self.folder / "curve.jsonl").open("a") as curve:
            line = {"minutes": round(self.minutes, 2), "steps": self.steps, "mm": self.error_mm}
            curve.write(json.dumps(line) + "\n")

    def resume(self) -> None:
        """Take up the state on disk, where there is one."""
        if self.folder is None or not (self.folder / "state").is_dir():
            return
        arrays, text = read_stored(self.folder / "state", kind=STATE)
        if text["seed"] != self.budget.seed:
            raise CheckpointError(f"{self.folder / 'state'}: belongs to a run with another seed; use another folder")
        of: dict[str, dict[str, Tensor]] = {"weights": {}, "optimizer": {}}
        for name, value in arrays.items():
            group, rest = name.split(".", 1)
            of[group][rest] = torch.from_numpy(value.copy())
        self.parts.load_state_dict(of["weights"])
        state = self.optimizer.state_dict()
        moments: dict[int, dict[str, Tensor]] = {}
        for name, tensor in of["optimizer"].items():
            index, kind = name.split(".")
            moments.setdefault(int(index), {})[kind] = tensor
        self.optimizer.load_state_dict({**state, "state": moments})
        self.steps, self.minutes, self.errors = int(text["steps"]), float(text["minutes"]), list(text["errors"])
