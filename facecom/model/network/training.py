"""Training the network generator on registered faces: deterministic on the CPU, and resumable after a kill.

State is written after each epoch, whole or not at all; the order of the faces depends on seed and epoch alone, so a run
that was killed and resumed ends where an unbroken one does. `accelerate` spreads the work over GPUs and machines when
the command is started by its launcher.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor

from facecom.errors import CheckpointError, need
from facecom.geometry.mesh import Floats
from facecom.model.face_region import face_weights
from facecom.model.network.generator import FaceGenerator
from facecom.model.network.mesh_network import Sizes
from facecom.model.principal_modes import principal_modes
from facecom.model.storage import StorageFormat, checkpoint_errors, read_stored, write_stored
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL, Template

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

STATE = StorageFormat("facecom-training", 2)
SQUARED_ERROR_WEIGHT = 0.1
"""Weight of the mean squared error, mm2, beside the mean absolute one, mm."""
WEIGHT_DECAY = 1e-4
"""Of AdamW."""
LEAST_VARIANCE = 1e-4
"""Bound on a code entry's variance in a batch, before its logarithm is taken."""
ENCODED_AT_ONCE = 64
"""Faces that are encoded together when the prior is calibrated."""


@dataclass(frozen=True)
class TrainSettings:
    """How the network is trained."""

    sizes: Sizes = Sizes()
    epochs: int = 40
    batch: int = 32
    rate: float = 2e-3
    """Step size of AdamW; it falls to nothing along a cosine."""
    outer_weight: float = 0.05
    """How much scalp, ears and neck count beside the face proper."""
    prior_weight: float = 0.01
    """Weight of keeping mean 0 and variance 1 of each code entry, beside errors in mm."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """Mixed precision, as accelerate names it."""
    seed: int = 0


@dataclass(frozen=True)
class TrainState:
    """After one epoch: mean absolute coordinate error in mm over the epoch, the prior's cost, seconds spent in all."""

    epoch: int
    epochs: int
    error_mm: float
    prior: float
    seconds: float


def train(
    faces: Floats,
    template: Template,
    out: str | Path,
    *,
    settings: TrainSettings | None = None,
    resume: bool = True,
    description: Mapping[str, Any] | None = None,
) -> FaceGenerator:
    """Drain `iterate_training` (same parameters and errors) and return the model that it wrote into `out`."""
    for _ in iterate_training(faces, template, out, settings=settings, resume=resume, description=description):
        pass
    return FaceGenerator.load(out)


def iterate_training(
    faces: Floats,
    template: Template,
    out: str | Path,
    *,
    settings: TrainSettings | None = None,
    resume: bool = True,
    description: Mapping[str, Any] | None = None,
) -> Iterator[TrainState]:
    """Train a generator, one state for each epoch; when it ends, `out` holds the model.

    Parameters
    ----------
    faces : (N, V, 3), mm, face frame: registered faces on level 2 or 3 of the template
    template : Template
    out : folder for the model, for `state_…/` to resume from, and for `log/` that TensorBoard reads
    resume : go on from the last state of the same settings and faces, where there is one
    description : further entries of the model's description: where its faces come from

    Raises
    ------
    ValueError
        When the faces are too few or not on the template.
    CheckpointError
        When there is a state to resume that is damaged or of another run.
    MissingDependency
        Without the packages of the extra `train`.
    """
    settings, folder = settings or TrainSettings(), Path(out)
    run = _TrainingRun(_on_shape_level(faces, template), template, folder, settings)
    run.description = dict(description or {})
    try:
        first = run.resume() if resume else run.forget()
        for epoch in range(first, settings.epochs):
            state = run.epoch(epoch)
            run.keep(state)
            yield state
        run.finish()
    finally:
        run.close()


def _on_shape_level(faces: Floats, template: Template) -> np.ndarray:
    faces = np.asarray(faces, np.float32)
    count = template.counts[SHAPE_LEVEL]
    if faces.ndim != 3 or faces.shape[1] not in template.counts[SHAPE_LEVEL:] or faces.shape[2] != 3:
        raise ValueError(
            f"expected faces (N, {count}, 3) or (N, {template.counts[-1]}, 3) on the template, got {faces.shape}; "
            "register other topologies first"
        )
    if not np.isfinite(faces).all():
        raise ValueError("some faces hold coordinates that are not finite; leave them out")
    return np.require(faces[:, :count], requirements=("C", "W"))


class _TrainingRun:
    """One training run: model, optimizer, faces, log and the state on disk."""

    def __init__(self, faces: np.ndarray, template: Template, folder: Path, settings: TrainSettings) -> None:
        accelerate = need("accelerate", extra="train")
        board = need("torch.utils.tensorboard", extra="train")
        torch.manual_seed(settings.seed)
        mean = faces.mean(axis=0, dtype=np.float64)
        fine = np.asarray(template.vertices, float).copy()
        fine += template.prolong(mean - fine[: len(mean)], from_level=SHAPE_LEVEL, to_level=FINEST_LEVEL, scheme="loop")
        fine[: len(mean)] = mean
        self.settings, self.folder, self.faces = settings, folder, torch.from_numpy(faces)
        weights = face_weights(template, outer=settings.outer_weight)
        modes = principal_modes(faces, mean.astype(np.float32), count=settings.sizes.code, weights=weights)
        model = FaceGenerator(replace(template, vertices=fine), modes, sizes=settings.sizes, weights=weights)
        self.accelerator = accelerate.Accelerator(mixed_precision=settings.precision)
        optimizer = torch.optim.AdamW(model.parameters(), lr=settings.rate, weight_decay=WEIGHT_DECAY)
        self.model, self.optimizer = self.accelerator.prepare(model, optimizer)
        self.weights = self.accelerator.unwrap_model(self.model).weights
        self.log: SummaryWriter | None = None
        self.description: dict[str, Any] = {}
        if self.accelerator.is_main_process:
            self.log = board.SummaryWriter(str(folder / "log"))
        self.seconds, self.processor, self.fingerprint = 0.0, 0.0, float(np.abs(faces, dtype=np.float64).sum())

    def epoch(self, epoch: int) -> TrainState:
        settings, since, used = self.settings, time.perf_counter(), time.process_time()
        order = np.random.default_rng((settings.seed, epoch)).permutation(len(self.faces))
        batches = [order[k : k + settings.batch] for k in range(0, len(order), settings.batch)]
        batches = [b for b in batches if len(b) > 1] or batches
        sums = np.zeros(2)
        for k, rows in enumerate(batches):
            share = (epoch + k / len(batches)) / settings.epochs
            for group in self.optimizer.param_groups:
                group["lr"] = settings.rate * 0.5 * (1.0 + np.cos(np.pi * share))
            sums += self._step(rows[self.accelerator.process_index :: self.accelerator.num_processes])
        means = torch.as_tensor(sums / len(batches), dtype=torch.float32, device=self.accelerator.device)
        error, prior = self.accelerator.reduce(means, reduction="mean").tolist()
        self.seconds += time.perf_counter() - since
        self.processor += time.process_time() - used
        return TrainState(epoch, settings.epochs, error, prior, self.seconds)

    def _step(self, rows: np.ndarray) -> tuple[float, float]:
        vertices = self.faces[rows].to(self.accelerator.device)
        with self.accelerator.autocast():
            found, raw = self.model(vertices)
        residual, weights = found.float() - vertices, self.weights[:, None]
        error, prior = (residual.abs() * weights).mean(), _prior_cost(raw.float())
        loss = error + SQUARED_ERROR_WEIGHT * (residual**2 * weights).mean() + self.settings.prior_weight * prior
        self.optimizer.zero_grad()
        self.accelerator.backward(loss)
        self.optimizer.step()
        return float(error.detach()), float(prior.detach())

    def keep(self, state: TrainState) -> None:
        """Log the epoch and write the state to resume from."""
        if not self.accelerator.is_main_process:
            return
        if self.log is not None:
            self.log.add_scalar("error_mm", state.error_mm, state.epoch)
            self.log.add_scalar("prior", state.prior, state.epoch)
        plain = self.accelerator.unwrap_model(self.model)
        arrays = {f"model.{name}": value.detach().cpu().numpy() for name, value in plain.named_parameters()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            arrays |= {f"optimizer.{index}.{name}": value.cpu().numpy() for name, value in moments.items()}
        text = {
            **asdict(state),
            "settings": asdict(self.settings),
            "fingerprint": self.fingerprint,
            "processor": self.processor,
        }
        partial = self.folder / "state.partial"
        shutil.rmtree(partial, ignore_errors=True)
        write_stored(partial, arrays, text, kind=STATE)
        older = _states(self.folder)
        partial.rename(self.folder / f"state_{state.epoch:05d}")
        for folder in older:
            shutil.rmtree(folder, ignore_errors=True)

    def forget(self) -> int:
        """Remove the states on disk; the epoch to begin with."""
        for folder in _states(self.folder) if self.accelerator.is_main_process else []:
            shutil.rmtree(folder)
        return 0

    def resume(self) -> int:
        """Take up the last state on disk; the epoch to go on with."""
        if not (folders := _states(self.folder)):
            return 0
        folder = folders[-1]
        arrays, text = read_stored(folder, kind=STATE)
        same = json.loads(json.dumps(asdict(self.settings)))
        if text.get("settings") != same or text.get("fingerprint") != self.fingerprint:
            raise CheckpointError(f"{folder}: belongs to a run with other settings or faces; use another folder")
        plain = self.accelerator.unwrap_model(self.model)
        with checkpoint_errors(folder, kind=STATE):
            for name, value in plain.named_parameters():
                value.data.copy_(torch.from_numpy(arrays[f"model.{name}"]))
            state = self.optimizer.state_dict()
            state["state"] = _moments(arrays)
            self.optimizer.load_state_dict(state)
            self.seconds, self.processor = float(text["seconds"]), float(text["processor"])
            return int(text["epoch"]) + 1

    def finish(self) -> None:
        """Calibrate the prior on the training faces and write the model."""
        plain = self.accelerator.unwrap_model(self.model).eval()
        if self.accelerator.is_main_process:
            self._write(plain)
        self.accelerator.wait_for_everyone()

    def _write(self, plain: FaceGenerator) -> None:
        with torch.no_grad():
            rows = [plain.encode_raw(part.to(self.accelerator.device)) for part in self.faces.split(ENCODED_AT_ONCE)]
        plain.calibrate(torch.cat(rows))
        minutes = {"minutes": round(self.seconds / 60, 2), "processor_minutes": round(self.processor / 60, 2)}
        training = asdict(self.settings) | {"faces": len(self.faces)} | minutes
        plain.description = self.description | {"training": training}
        plain.cpu().save(self.folder)

    def close(self) -> None:
        """Close the log."""
        if self.log is not None:
            self.log.close()


def _states(folder: Path) -> list[Path]:
    return sorted(folder.glob("state_[0-9]*"))


def _prior_cost(raw: Tensor) -> Tensor:
    """Divergence of a batch's code entries from N(0, 1), by their mean and variance."""
    if len(raw) < 2:
        return (raw**2).mean()
    variance = raw.var(0).clamp_min(LEAST_VARIANCE)
    return 0.5 * (variance + raw.mean(0) ** 2 - 1.0 - variance.log()).mean()


def _moments(arrays: dict[str, np.ndarray]) -> dict[int, dict[str, Any]]:
    out: dict[int, dict[str, Any]] = {}
    for name, value in arrays.items():
        if name.startswith("optimizer."):
            _, index, kind = name.split(".")
            out.setdefault(int(index), {})[kind] = torch.from_numpy(value.copy())
    return out
