"""Train the shipped inpainter: one step from what is known to residual, sigma and normals inside the hole.

python -m training.train_inpainter --residuals out/guidance/residuals.npz --minutes 20 --out facecom/assets/inpainter
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from diffusers import UNet2DModel

from facecom.guidance.inpaint import CHANNELS, OUTPUTS, SETTINGS

NORMAL_SHARE = 2.0
"""Weight of the normals' mean absolute error beside the residual's likelihood."""


def network(size: int, width: int) -> UNet2DModel:
    model = UNet2DModel(
        sample_size=size,
        in_channels=CHANNELS,
        out_channels=OUTPUTS,
        block_out_channels=(width, 2 * width, 4 * width, 4 * width),
        down_block_types=("DownBlock2D",) * 4,
        up_block_types=("UpBlock2D",) * 4,
        layers_per_block=1,
        norm_num_groups=4,
        add_attention=False,
    )
    # The first answer is the fitted face itself, with a sigma of one scale.
    torch.nn.init.zeros_(model.conv_out.weight)
    torch.nn.init.zeros_(model.conv_out.bias)
    return model


def mirrored(inputs: torch.Tensor, targets: torch.Tensor, which: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The chosen examples seen on the mirrored face: columns turn round, and so does what points sideways."""
    inputs, targets = inputs.clone(), targets.clone()
    inputs[which], targets[which] = inputs[which].flip(-1), targets[which].flip(-1)
    inputs[which, 4] *= -1  # camera frame, towards the right of the picture
    targets[which, 1] *= -1  # face frame, towards the subject's left
    return inputs, targets


def loss_of(answer: torch.Tensor, targets: torch.Tensor, scale_mm: float) -> torch.Tensor:
    """Negative logarithm of a Gaussian likelihood of the residual, and the error of the normals, inside the hole."""
    counts = targets[:, 4]
    log_sigma = answer[:, 1].clamp(-6, 3)
    error = (targets[:, 0] / scale_mm - answer[:, 0]) * torch.exp(-log_sigma)
    # Each picture counts the same, however large its hole.
    share = counts / counts.sum((1, 2), keepdim=True) / len(counts)
    likelihood = (share * (0.5 * error.square() + log_sigma)).sum()
    normals = (share[:, None] * (targets[:, 1:4] - answer[:, 2:]).abs()).sum()
    return likelihood + NORMAL_SHARE * normals


def judge(model: UNet2DModel, inputs: torch.Tensor, targets: torch.Tensor, scale_mm: float) -> dict[str, float]:
    """Errors inside the hole of the fitted face itself and of the network, and how often one sigma holds."""
    model.eval()
    with torch.inference_mode():
        answer = torch.cat([model(part, 0).sample for part in inputs.split(16)])
    counts = targets[:, 4] > 0
    truth, found = targets[:, 0][counts], scale_mm * answer[:, 0][counts]
    sigma = scale_mm * answer[:, 1].clamp(-6, 3).exp()[counts]
    turn = targets[:, 1:4].permute(0, 2, 3, 1)[counts]
    model.train()
    return {
        "fitted_face_mean_mm": round(float(truth.abs().mean()), 4),
        "network_mean_mm": round(float((found - truth).abs().mean()), 4),
        "fitted_face_rms_mm": round(float(truth.square().mean().sqrt()), 4),
        "network_rms_mm": round(float((found - truth).square().mean().sqrt()), 4),
        "within_one_sigma": round(float(((found - truth).abs() < sigma).float().mean()), 3),
        "fitted_normals_error": round(float(turn.abs().mean()), 4),
        "network_normals_error": round(
            float((turn - answer[:, 2:].permute(0, 2, 3, 1)[counts]).abs().mean()),
            4,
        ),
    }


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    with np.load(arguments.residuals, allow_pickle=False) as stored:
        inputs, targets = (torch.tensor(stored[name].astype(np.float32)) for name in ("inputs", "targets"))
        foreign, scale_mm = torch.tensor(stored["foreign"]), float(stored["scale_mm"])
        setup = {"size": int(stored["size"]), "half_mm": float(stored["half_mm"]), "scale_mm": scale_mm}
    count = int(0.9 * len(inputs))
    chance = torch.where(foreign[:count], arguments.foreign_share, 1 - arguments.foreign_share)
    model = network(setup["size"], arguments.width)
    if arguments.resume:
        model = UNet2DModel.from_pretrained(arguments.resume, use_safetensors=True, local_files_only=True)
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.rate, weight_decay=0.02)
    start, step, told = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = arguments.rate * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
        pick = torch.multinomial(chance, arguments.batch, replacement=True)
        given, wanted = mirrored(inputs[pick], targets[pick], torch.rand(arguments.batch) < 0.5)
        loss = loss_of(model(given, 0).sample, wanted, scale_mm)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        if share - told > 0.1:
            told = share
            figures = judge(model, inputs[count:], targets[count:], scale_mm)
            print(step, f"{loss.item():.3f}", f"{100 * share:.0f} %", figures, flush=True)
            save(model, arguments, setup, step, figures)
    own = {
        name: judge(model, inputs[count:][part], targets[count:][part], scale_mm)
        for name, part in (("makehuman", foreign[count:]), ("own_samples", ~foreign[count:]))
    }
    save(model, arguments, setup, step, own)
    print(json.dumps(own, indent=1), flush=True)


def save(model: UNet2DModel, arguments: argparse.Namespace, setup: dict, step: int, figures: dict) -> None:
    model.save_pretrained(arguments.out, safe_serialization=True)
    config = json.loads((arguments.out / "config.json").read_text())
    config.pop("_name_or_path", None)
    (arguments.out / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    (arguments.out / SETTINGS).write_text(json.dumps(setup, indent=1) + "\n")
    note = {k: v for k, v in vars(arguments).items() if k not in ("residuals", "out", "resume")}
    note["went_on_from_another"] = bool(arguments.resume)
    note |= {"steps": step, "on_faces_outside_the_training": figures, "sources": ["MakeHuman (CC0)", "own generator"]}
    (arguments.out / "training.json").write_text(json.dumps(note, indent=1) + "\n")


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--residuals", type=Path, required=True)
    p.add_argument("--minutes", type=float, default=20.0)
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--rate", type=float, default=1e-3)
    p.add_argument("--width", type=int, default=12)
    p.add_argument("--foreign-share", type=float, default=0.5)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--resume", type=Path, help="folder of a network to go on from")
    p.add_argument("--out", type=Path, required=True)
    train(p.parse_args())


if __name__ == "__main__":
    main()
