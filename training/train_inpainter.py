"""Train the shipped inpainter: one step from what is known to offset, sigma and normals inside the hole.

python -m training.train_inpainter --residuals out/guidance/residuals --minutes 60 --out facecom/assets/inpainter

First a linear readout of the features of each pixel's neighbourhood is found by least squares; the network starts from
its answer and learns the residual. Minutes are of processor time. A run that was stopped goes on from its last state
(`--out`) with the rest of them.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel
from torch import Tensor
from torch.nn.functional import smooth_l1_loss

from facecom.guidance.guide import VIEW_HALF_MM, VIEW_SIZE_PX
from facecom.guidance.inpainter_network import (
    FEATURE_COUNT,
    FIRST_ANSWER_CHANNEL,
    INPUT_CHANNELS,
    NORMAL_X_CHANNEL,
    OUTPUT_CHANNELS,
    ViewInput,
    input_channels,
    neighbourhood_features,
    predict,
)
from facecom.guidance.inpainting import SETTINGS
from training.schedule import learning_rate, update_average

SOURCES = ("MakeHuman (CC0)", "Vitruvian (CC0)", "own generator, wider")
HELD_OUT_EVERY = 8
"""One file in so many is held out for evaluation."""
NORMAL_WEIGHT = 1.0
"""Weight of the normals' mean absolute error beside the offset's."""
SIGMA_WEIGHT = 0.3
"""Weight of the sigma's likelihood; it does not pull at the offset."""
HUBER_MM = 0.3
"""Errors smaller than this count by their square."""
WARMUP_STEPS = 50
"""Steps until the learning rate is reached."""


@dataclass(frozen=True, eq=False)
class Examples:
    """N views by name of what they hold; held : (N,) bool, those of every `HELD_OUT_EVERY`th file."""

    arrays: dict[str, np.ndarray]
    held: np.ndarray

    @classmethod
    def load(cls, folder: Path) -> Examples:
        paths = sorted(folder.glob("*.npz"))
        shards = [np.load(path, allow_pickle=False) for path in paths]
        held = [
            np.full(len(s["source"]), int(p.stem) % HELD_OUT_EVERY == HELD_OUT_EVERY - 1)
            for p, s in zip(paths, shards, strict=True)
        ]
        return cls({n: np.concatenate([s[n] for s in shards]) for n in shards[0].files}, np.concatenate(held))

    def shown(self, pick: np.ndarray) -> ViewInput:
        """What the chosen views show."""
        names = ("residual", "known", "other_residual", "other_known", "mask", "depth", "normals")
        shown = {name: torch.from_numpy(self.arrays[name][pick]).float() for name in names}
        return ViewInput(**shown | {"normals": shown["normals"].permute(0, 3, 1, 2)})

    def wanted(self, pick: np.ndarray) -> Target:
        """What is asked for in the chosen views."""
        offset, turn, counts = (torch.from_numpy(self.arrays[n][pick]).float() for n in ("wanted", "turn", "counts"))
        return Target(offset, turn.permute(0, 3, 1, 2), counts)

    def inputs(self, readout: Tensor, scale_mm: float) -> Tensor:
        """The network's input of all views, (N, C, H, W), half precision: made once, the network never waits."""
        parts = np.array_split(np.arange(len(self.held)), max(1, len(self.held) // 32))
        return torch.cat([input_channels(self.shown(part), readout, scale_mm=scale_mm).half() for part in parts])


@dataclass(frozen=True, eq=False)
class Target:
    """offset : (N, H, W), mm; turn : (N, 3, H, W), change of the normals, camera frame; counts : (N, H, W), 0 or 1."""

    offset: Tensor
    turn: Tensor
    counts: Tensor


def mirrored(batch: Tensor, wanted: Target, which: Tensor) -> tuple[Tensor, Target]:
    """The chosen views seen on the mirrored face: columns turn round, and so does what points sideways."""
    turned = [value.clone() for value in (batch, wanted.offset, wanted.turn, wanted.counts)]
    for value in turned:
        value[which] = value[which].flip(-1)
    turned[0][which, NORMAL_X_CHANNEL] *= -1
    turned[2][which, 0] *= -1
    return turned[0], Target(*turned[1:])


def network(size: int, width: int, pack: int) -> UNet2DModel:
    model = UNet2DModel(
        sample_size=size // pack,
        in_channels=INPUT_CHANNELS * pack**2,
        out_channels=OUTPUT_CHANNELS * pack**2,
        block_out_channels=(width, 2 * width, 3 * width),
        down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=8,
        add_attention=False,
    )
    # At first it adds nothing, and says a sigma of one scale.
    torch.nn.init.zeros_(model.conv_out.weight)
    torch.nn.init.zeros_(model.conv_out.bias)
    return model


def linear_readout(examples: Examples, pick: np.ndarray, *, scale_mm: float, ridge: float) -> list[float]:
    """Weights of `neighbourhood_features`, by least squares over the pixels that count; each picture weighs the same.

    ridge : pull of each weight to zero, as a share of the mean square of the readings
    """
    square = torch.zeros(FEATURE_COUNT, FEATURE_COUNT, dtype=torch.float64)
    slope = torch.zeros(FEATURE_COUNT, dtype=torch.float64)
    for part in np.array_split(pick, max(1, len(pick) // 32)):
        readings, wanted = neighbourhood_features(examples.shown(part), scale_mm=scale_mm), examples.wanted(part)
        share = wanted.counts / wanted.counts.sum((1, 2), keepdim=True)
        weighed = readings * share[:, None]
        square += torch.einsum("nkhw,nlhw->kl", weighed, readings)
        slope += torch.einsum("nkhw,nhw->k", weighed, wanted.offset / scale_mm)
    pull = ridge * square.diagonal().mean() * torch.eye(FEATURE_COUNT, dtype=torch.float64)
    return [float(x) for x in torch.linalg.solve(square + pull, slope)]


def loss_of(found: Tensor, wanted: Target, *, scale_mm: float) -> Tensor:
    """Error of the offset in mm, likelihood of its sigma, error of the normals; each picture counts the same."""
    share = wanted.counts / wanted.counts.sum((1, 2), keepdim=True) / len(found)
    gap = wanted.offset - scale_mm * found[:, 0]
    error = smooth_l1_loss(gap, torch.zeros_like(gap), beta=HUBER_MM, reduction="none")
    log_sigma = found[:, 1].clamp(-6, 3)
    likelihood = 0.5 * (gap.detach() / scale_mm * torch.exp(-log_sigma)).square().clamp(max=25) + log_sigma
    normals = (wanted.turn - found[:, 2:]).abs().mean(1)
    return (share * (error + SIGMA_WEIGHT * likelihood + NORMAL_WEIGHT * normals)).sum()


def evaluate(model: torch.nn.Module, inputs: Tensor, examples: Examples, pick: np.ndarray, setup: dict) -> dict:
    """Errors inside the hole of the fitted face, of the linear readout and of the network; its z scores."""
    model.eval()
    gaps, scale = [], setup["scale_mm"]
    with torch.inference_mode():
        for part in np.array_split(pick, max(1, len(pick) // 32)):
            batch, wanted = inputs[part].float(), examples.wanted(part)
            found, on = predict(model, batch, pack=setup["pack"]), wanted.counts > 0
            error, sigma = wanted.offset - scale * found[:, 0], scale * found[:, 1].clamp(-6, 3).exp()
            bend = (wanted.turn - found[:, 2:]).abs().mean(1)
            first = wanted.offset - scale * batch[:, FIRST_ANSWER_CHANNEL]
            every = (wanted.offset, first, error, error / sigma, wanted.turn.abs().mean(1), bend)
            gaps.append(torch.stack([value[on] for value in every]))
    values = torch.cat(gaps, dim=1).abs()
    z = values[3]
    figures = {
        "fitted_face_mean_mm": values[0].mean(),
        "readout_mean_mm": values[1].mean(), "network_mean_mm": values[2].mean(),
        "fitted_normals_error": values[4].mean(), "network_normals_error": values[5].mean(),
        "z_rms": z.square().mean().sqrt(), "z_68": z.quantile(0.683),
    } | {f"within_{k}_sigma": (z < k).float().mean() for k in (1, 2, 3)}  # fmt: skip
    return {name: round(float(value), 4) for name, value in figures.items()}


class Run:
    """A training run: weights, their running average, and how much of its time is spent."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self.arguments, self.step, self.seconds, self.processor = arguments, 0, 0.0, 0.0
        self.setup = {
            "size": VIEW_SIZE_PX,
            "half_mm": VIEW_HALF_MM,
            "scale_mm": arguments.scale_mm,
            "pack": arguments.pack,
            "sigma_scale": 1.0,
        }
        self.model = network(VIEW_SIZE_PX, arguments.width, arguments.pack)
        notes = arguments.out / "training.json"
        if notes.exists():
            self.setup = json.loads((arguments.out / SETTINGS).read_text())
            note = json.loads(notes.read_text())
            self.step, self.seconds, self.processor = note["steps"], note["seconds"], note["processor_seconds"]
            self.model = UNet2DModel.from_pretrained(arguments.out, use_safetensors=True, local_files_only=True)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False)

    def save(self, figures: dict) -> None:
        out = self.arguments.out
        self.setup["sigma_scale"] = figures.get("all", figures)["z_68"]
        self.averaged.save_pretrained(out, safe_serialization=True)
        config = json.loads((out / "config.json").read_text())
        config.pop("_name_or_path", None)
        (out / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
        (out / SETTINGS).write_text(json.dumps(self.setup, indent=1) + "\n")
        note = {k: v for k, v in vars(self.arguments).items() if k not in ("residuals", "out")}
        note |= {"steps": self.step, "seconds": round(self.seconds, 1), "processor_seconds": round(self.processor, 1)}
        note |= {"sources": SOURCES, "on_heads_outside_the_training": figures}
        (out / "training.json").write_text(json.dumps(note, indent=1) + "\n")


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    run, examples = Run(arguments), Examples.load(arguments.residuals)
    own, held = np.flatnonzero(~examples.held), np.flatnonzero(examples.held)
    if "readout" not in run.setup:
        run.setup["readout"] = linear_readout(examples, own, scale_mm=arguments.scale_mm, ridge=arguments.ridge)
    inputs = examples.inputs(torch.tensor(run.setup["readout"]), arguments.scale_mm)
    figures = evaluate(run.averaged, inputs, examples, held, run.setup)
    print(len(own), len(held), figures, flush=True)
    run.save(figures)
    optimiser = torch.optim.AdamW(run.model.parameters(), lr=arguments.rate, weight_decay=0.01)
    run.model.train()
    reported, began = run.seconds, run.step
    while (share := run.processor / (60 * arguments.minutes)) < 1:
        wall, processor = time.monotonic(), time.process_time()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(arguments.rate, share=share, step=run.step - began, warmup=WARMUP_STEPS)
        pick = rng.choice(own, arguments.batch)
        which = torch.from_numpy(rng.uniform(size=arguments.batch) < 0.5)
        batch, wanted = mirrored(inputs[pick].float(), examples.wanted(pick), which)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = predict(run.model, batch, pack=arguments.pack).float()
        loss = loss_of(found, wanted, scale_mm=arguments.scale_mm)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        optimiser.step()
        run.step += 1
        update_average(run.averaged.parameters(), run.model.parameters(), step=run.step)
        run.seconds += time.monotonic() - wall
        run.processor += time.process_time() - processor
        if run.seconds - reported > 60 * arguments.report_minutes:
            reported = run.seconds
            figures = evaluate(run.averaged, inputs, examples, held, run.setup)
            print(run.step, f"{loss.item():.3f}", f"{100 * share:.0f} %", f"{run.processor:.0f} s", figures, flush=True)
            run.save(figures)
    figures = {"all": evaluate(run.averaged, inputs, examples, held, run.setup)}
    for k, name in enumerate(SOURCES):
        figures[name] = evaluate(run.averaged, inputs, examples, held[examples.arrays["source"][held] == k], run.setup)
    run.save(figures)
    print(json.dumps(figures, indent=1), flush=True)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--residuals", type=Path, required=True, help="folder that training.guidance_residuals wrote")
    p.add_argument("--minutes", type=float, default=60.0, help="of processor time")
    p.add_argument("--report-minutes", type=float, default=3.0, help="by the clock, between two saved states")
    p.add_argument("--batch", type=int, default=16)
    p.add_argument("--rate", type=float, default=1.5e-3)
    p.add_argument("--width", type=int, default=16)
    p.add_argument("--pack", type=int, default=2)
    p.add_argument("--ridge", type=float, default=0.003)
    p.add_argument("--scale-mm", type=float, default=2.0)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    train(p.parse_args())


if __name__ == "__main__":
    main()
