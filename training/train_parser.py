"""Train the shipped face parser on renders of our own faces.

python -m training.train_parser --pictures out/guidance/faces.npz --minutes 20 --out facecom/assets/parser
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy, interpolate
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from facecom.guidance.parsing import BACKGROUND, WEIGHTS
from facecom.model.template import Template
from training.guidance_data import FacePictures, damaged, load_pictures

VALIDATION = 64
SMALL = ("l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")


def network(names: tuple[str, ...]) -> SegformerForSemanticSegmentation:
    config = SegformerConfig(
        depths=[1, 2, 2, 1],
        hidden_sizes=[16, 32, 80, 128],
        num_attention_heads=[1, 2, 4, 4],
        sr_ratios=[8, 4, 2, 1],
        strides=[2, 2, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=64,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        id2label=dict(enumerate(names)),
        label2id={n: k for k, n in enumerate(names)},
    )
    return SegformerForSemanticSegmentation(config)


def batch(pictures: FacePictures, picks: np.ndarray, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
    made = [damaged(pictures, int(k), rng) for k in picks]
    images = torch.tensor(np.stack([m[0] for m in made]), dtype=torch.float32)
    return (images - 0.5) / 0.5, torch.tensor(np.stack([m[1] for m in made]))


def full_logits(model: SegformerForSemanticSegmentation, images: torch.Tensor) -> torch.Tensor:
    return interpolate(model(images).logits, images.shape[2:], mode="bilinear", align_corners=False)


def intersection_over_union(found: torch.Tensor, truth: torch.Tensor, classes: int) -> np.ndarray:
    pairs = torch.bincount(classes * truth.ravel() + found.ravel(), minlength=classes**2)
    table = pairs.reshape(classes, classes).double().numpy()
    union = table.sum(0) + table.sum(1) - np.diag(table)
    return np.diag(table) / np.where(union > 0, union, np.nan)


def save(model: SegformerForSemanticSegmentation, folder: Path, size: int, note: dict[str, object]) -> None:
    """config.json, model.safetensors in half precision, how to prepare pictures, and how it was trained."""
    from safetensors.torch import save_file

    folder.mkdir(parents=True, exist_ok=True)
    model.config.save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    config["architectures"] = [type(model).__name__]
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    halves = {name: value.detach().half().contiguous() for name, value in model.state_dict().items()}
    save_file(halves, folder / WEIGHTS, metadata={"format": "pt"})
    prepare = {"size": {"height": size, "width": size}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepare, indent=1) + "\n")
    (folder / "training.json").write_text(json.dumps(note, indent=1) + "\n")


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    pictures = load_pictures(arguments.pictures, size=arguments.size)
    count, size = len(pictures.depth) - VALIDATION, pictures.depth.shape[1]
    names = (BACKGROUND, *Template.load().region_names)
    weight = torch.tensor([3.0 if name in SMALL else 1.0 for name in names])
    model = network(names)
    tests = batch(pictures, np.arange(count, count + VALIDATION), np.random.default_rng(1))
    optimiser = torch.optim.AdamW(model.parameters(), lr=arguments.rate, weight_decay=0.01)
    start, step, told = time.monotonic(), 0, 0.0
    while (share := (time.monotonic() - start) / (60 * arguments.minutes)) < 1:
        for group in optimiser.param_groups:
            group["lr"] = arguments.rate * min(1.0, (step + 1) / 50) * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
        images, labels = batch(pictures, rng.integers(0, count, arguments.batch), rng)
        model.train()
        loss = cross_entropy(full_logits(model, images), labels, weight=weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        step += 1
        if share - told > 0.1:
            told = share
            print(step, f"{loss.item():.3f}", f"{100 * share:.0f} %", evaluate(model, tests, names), flush=True)
            save(model, arguments.out, size, describe(arguments, step, count, model, tests, names))
    save(model, arguments.out, size, describe(arguments, step, count, model, tests, names))


def evaluate(model: SegformerForSemanticSegmentation, tests: tuple, names: tuple[str, ...]) -> float:
    model.eval()
    with torch.inference_mode():
        found = full_logits(model, tests[0]).argmax(1)
    return round(float(np.nanmean(intersection_over_union(found, tests[1], len(names)))), 4)


def describe(arguments: argparse.Namespace, step: int, count: int, model, tests, names) -> dict[str, object]:
    return {
        "steps": step,
        "batch": arguments.batch,
        "minutes": arguments.minutes,
        "faces": count,
        "rate": arguments.rate,
        "seed": arguments.seed,
        "mean_iou_on_damaged_renders_of_other_samples": evaluate(model, tests, names),
    }


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pictures", type=Path, required=True)
    p.add_argument("--minutes", type=float, default=20.0)
    p.add_argument("--size", type=int, default=64)
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--rate", type=float, default=3e-3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    train(p.parse_args())


if __name__ == "__main__":
    main()
