"""Few-step diffusion instead of one step: the same examples, the same size of network, the same processor time.

python -m training.try_diffusion --residuals out/guidance/residuals --minutes 1 --out out/guidance/diffusion

The network is shown what the one-step network is shown, and a noisy image of what is asked for: the offset that the
linear readout leaves over, and the change of the normals. It predicts the clean image (Ho et al. 2020; Salimans and Ho
2022, section 4), from which DDIM takes a few steps (Song et al. 2021). Prints and keeps the errors inside the holes of
heads that it was not trained on: of one sample, and of the mean of several, which is what the fit would take in. A run
that was stopped begins anew.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import DDIMScheduler, UNet2DModel
from torch import Tensor
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from facecom.guidance.guide import VIEW_SIZE_PX
from facecom.guidance.inpainter_network import FIRST_ANSWER_CHANNEL, INPUT_CHANNELS
from training.schedule import learning_rate, update_average
from training.train_inpainter import WARMUP_STEPS, Examples, Target, linear_readout, mirrored

PICTURES = 4
"""Offset beyond the readout's, turn of the normal."""
NOISE = {
    "num_train_timesteps": 1000,
    "beta_schedule": "squaredcos_cap_v2",
    "prediction_type": "sample",
    "timestep_spacing": "trailing",
    "clip_sample": False,
}


def network(width: int, pack: int) -> UNet2DModel:
    """As the one-step network, with the noisy picture as further channels."""
    return UNet2DModel(
        sample_size=VIEW_SIZE_PX // pack,
        in_channels=(INPUT_CHANNELS + PICTURES) * pack**2,
        out_channels=PICTURES * pack**2,
        block_out_channels=(width, 2 * width, 3 * width),
        down_block_types=("DownBlock2D",) * 3,
        up_block_types=("UpBlock2D",) * 3,
        layers_per_block=1,
        norm_num_groups=8,
        add_attention=False,
    )


def clean_target(batch: Tensor, wanted: Target, scale_mm: float) -> Tensor:
    """What the network is to name, (N, 4, H, W), zero where nothing counts."""
    offset = wanted.offset / scale_mm - batch[:, FIRST_ANSWER_CHANNEL]
    return torch.cat([offset[:, None], wanted.turn], dim=1) * wanted.counts[:, None]


def target_scales(inputs: Tensor, examples: Examples, pick: np.ndarray, scale_mm: float) -> Tensor:
    """Root mean square of each picture over the pixels that count, (4, 1, 1): the noise is to be as large."""
    wanted = examples.wanted(pick)
    squares = clean_target(inputs[pick].float(), wanted, scale_mm).square().sum((0, 2, 3))
    return (squares / wanted.counts.sum()).sqrt().view(-1, 1, 1)


def predict_clean(model: torch.nn.Module, noisy: Tensor, batch: Tensor, time_: Tensor, pack: int) -> Tensor:
    """The clean image that the network sees behind a noisy one."""
    return pixel_shuffle(model(pixel_unshuffle(torch.cat([noisy, batch], dim=1), pack), time_).sample, pack)


def sample(model: torch.nn.Module, batch: Tensor, *, steps: int, pack: int, rng: torch.Generator) -> Tensor:
    """One sample for each view, (N, 4, H, W), in units of `target_scales`."""
    scheduler = DDIMScheduler(**NOISE)
    scheduler.set_timesteps(steps)
    noisy = torch.randn((len(batch), PICTURES, *batch.shape[2:]), generator=rng)
    for moment in scheduler.timesteps:
        noisy = scheduler.step(predict_clean(model, noisy, batch, moment, pack), moment, noisy).prev_sample
    return noisy


def evaluate(
    model: torch.nn.Module,
    inputs: Tensor,
    examples: Examples,
    pick: np.ndarray,
    sizes: Tensor,
    options: argparse.Namespace,
) -> dict[str, float]:
    """Errors inside the holes: of one sample, of the mean of several, and how far these lie apart."""
    model.eval()
    rng, rows = torch.Generator().manual_seed(options.seed), []
    began = time.process_time()
    with torch.inference_mode():
        for part in np.array_split(pick, max(1, len(pick) // 32)):
            batch, wanted = inputs[part].float(), examples.wanted(part)
            truth, on = clean_target(batch, wanted, options.scale_mm), wanted.counts > 0
            made = [
                sizes * sample(model, batch, steps=options.steps, pack=options.pack, rng=rng)
                for _ in range(options.samples)
            ]
            samples = torch.stack(made)
            mean, spread = samples.mean(0), options.scale_mm * samples[:, :, 0].std(0)
            one, many = (options.scale_mm * (value - truth)[:, 0].abs() for value in (samples[0], mean))
            bends = [(value - truth)[:, 1:].abs().mean(1) for value in (samples[0], mean)]
            rows.append(torch.stack([value[on] for value in (one, many, *bends, spread, (many < spread).float())]))
    names = ("one_sample_mm", "mean_of_samples_mm", "one_sample_normals", "mean_of_samples_normals", "spread_mm")
    figures = dict(zip((*names, "within_1_spread"), torch.cat(rows, dim=1).mean(1).tolist(), strict=True))
    figures["processor_ms_a_view"] = 1000 * (time.process_time() - began) / len(pick)
    model.train()
    return {name: round(value, 4) for name, value in figures.items()}


def train(options: argparse.Namespace) -> dict[str, float]:
    """Train for the given processor time and evaluate."""
    torch.manual_seed(options.seed)
    rng, examples = np.random.default_rng(options.seed), Examples.load(options.residuals)
    own, held = np.flatnonzero(~examples.held), np.flatnonzero(examples.held)
    readout = linear_readout(examples, own, scale_mm=options.scale_mm, ridge=options.ridge)
    inputs = examples.inputs(torch.tensor(readout), options.scale_mm)
    sizes, scheduler = target_scales(inputs, examples, own, options.scale_mm), DDIMScheduler(**NOISE)
    model = network(options.width, options.pack)
    kept = copy.deepcopy(model).requires_grad_(False)
    optimiser = torch.optim.AdamW(model.parameters(), lr=options.rate, weight_decay=0.01)
    step, spent, reported = 0, 0.0, 0.0
    while (share := spent / (60 * options.minutes)) < 1:
        began = time.process_time()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(options.rate, share=share, step=step, warmup=WARMUP_STEPS)
        pick = rng.choice(own, options.batch)
        which = torch.from_numpy(rng.uniform(size=options.batch) < 0.5)
        batch, wanted = mirrored(inputs[pick].float(), examples.wanted(pick), which)
        truth, moment = clean_target(batch, wanted, options.scale_mm) / sizes, torch.randint(0, 1000, (options.batch,))
        noisy = scheduler.add_noise(truth, torch.randn(truth.shape), moment)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            found = predict_clean(model, noisy, batch, moment, options.pack).float()
        weight = wanted.counts / wanted.counts.sum((1, 2), keepdim=True) / len(pick)
        loss = ((found - truth).square().mean(1) * weight).sum()
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        update_average(kept.parameters(), model.parameters(), step=step)
        spent += time.process_time() - began
        if spent - reported > options.report_seconds:
            reported = spent
            print(step, f"{loss.item():.3f}", f"{spent:.0f} s", flush=True)
    figures = {"steps": step, "processor_seconds": round(spent, 1)} | evaluate(
        kept, inputs, examples, held, sizes, options
    )
    kept.save_pretrained(options.out, safe_serialization=True)
    scheduler.save_pretrained(options.out)
    (options.out / "training.json").write_text(json.dumps(figures, indent=1) + "\n")
    return figures


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--residuals", type=Path, required=True, help="folder that training.guidance_residuals wrote")
    p.add_argument("--minutes", type=float, default=1.0, help="of processor time")
    p.add_argument("--report-seconds", type=float, default=10.0, help="of the processor, between two lines")
    p.add_argument("--steps", type=int, default=5, help="steps of a sample")
    p.add_argument("--samples", type=int, default=8)
    p.add_argument("--batch", type=int, default=6)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--width", type=int, default=16)
    p.add_argument("--pack", type=int, default=2)
    p.add_argument("--ridge", type=float, default=0.003)
    p.add_argument("--scale-mm", type=float, default=2.0)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    print(json.dumps(train(p.parse_args()), indent=1))


if __name__ == "__main__":
    main()
