"""Train the shipped face parser on renders of our own faces.

python -m training.train_parser --pictures out/guidance/faces.npz --minutes 30 --out facecom/assets/parser

The pictures are damaged beforehand, `--variants` times each, and stored beside them as a memory-mapped array, so
that the network never waits. Minutes are of processor time. A run that was stopped goes on from its last state
(`--out`) with the rest of them.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, one_hot
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from facecom.guidance.parsing import BACKGROUND
from facecom.model.template import Template
from training.guidance_data import FacePictures, damaged, load_pictures
from training.schedule import learning_rate, update_average

VALIDATION = 64
SMALL = ("l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip")
SMALL_WEIGHT = 3.0
WARMUP_STEPS = 100
"""Steps until the learning rate is reached."""


def network(names: tuple[str, ...]) -> SegformerForSemanticSegmentation:
    config = SegformerConfig(
        depths=[1, 1, 2, 1],
        hidden_sizes=[24, 48, 96, 128],
        num_attention_heads=[1, 2, 4, 4],
        sr_ratios=[4, 4, 2, 1],
        strides=[3, 2, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=64,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        id2label=dict(enumerate(names)),
        label2id={n: k for k, n in enumerate(names)},
    )
    return SegformerForSemanticSegmentation(config)


def damaged_pool(path: Path, pictures: FacePictures, *, variants: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Damaged pictures (N, 3, S, S) and labels (N, S, S), bytes: `variants` of the first picture, of the second, ..."""
    names = [path.with_suffix(f".{kind}{variants}.npy") for kind in ("images", "labels")]
    if not names[1].exists():
        made = [
            damaged(pictures, k, np.random.default_rng([seed, k, v]))
            for k in range(len(pictures.depth))
            for v in range(variants)
        ]
        np.save(names[0], np.stack([np.round(255 * m[0]).astype(np.uint8) for m in made]))
        np.save(names[1], np.stack([m[1].astype(np.uint8) for m in made]))
    images, labels = (np.load(name, mmap_mode="r", allow_pickle=False) for name in names)
    return images, labels


def batch(pool: tuple[np.ndarray, np.ndarray], picks: np.ndarray) -> tuple[Tensor, Tensor]:
    """Images (N, 3, S, S) in -1..1 and labels (N, S, S)."""
    return torch.from_numpy(pool[0][picks]).float() / 127.5 - 1.0, torch.from_numpy(pool[1][picks]).long()


def varied(images: Tensor, labels: Tensor, other: Tensor, rng: np.random.Generator) -> tuple[Tensor, Tensor]:
    """Some seen in a mirror, where `other` is what a label becomes, and all in a light of their own."""
    flip = torch.from_numpy(rng.uniform(size=len(images)) < 0.5)
    images, labels = images.clone(), labels.clone()
    images[flip], labels[flip] = images[flip].flip(-1), other[labels[flip].flip(-1)]
    gain = torch.from_numpy(rng.uniform(0.7, 1.2, (len(images), 1, 1, 1)).astype(np.float32))
    return ((images + 1) * gain).clamp(0, 2) - 1, labels


def loss_of(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy and one minus the Dice overlap of the classes of the batch (Milletari et al. 2016, section 3)."""
    shares, truth = logits.softmax(1), one_hot(labels, len(weight)).permute(0, 3, 1, 2).float()
    both, either = (shares * truth).sum((0, 2, 3)), (shares + truth).sum((0, 2, 3))
    there = truth.sum((0, 2, 3)) > 0
    dice = (1 - 2 * both / (either + 1.0))[there].mean()
    return cross_entropy(logits, labels, weight=weight) + dice


def full_logits(model: SegformerForSemanticSegmentation, images: Tensor) -> Tensor:
    return interpolate(model(images).logits, images.shape[2:], mode="bilinear", align_corners=False)


def intersection_over_union(found: torch.Tensor, truth: torch.Tensor, classes: int) -> np.ndarray:
    pairs = torch.bincount(classes * truth.ravel() + found.ravel(), minlength=classes**2)
    table = pairs.reshape(classes, classes).double().numpy()
    union = table.sum(0) + table.sum(1) - np.diag(table)
    return np.diag(table) / np.where(union > 0, union, np.nan)


def save(model: SegformerForSemanticSegmentation, folder: Path, size: int, note: dict[str, object]) -> None:
    """config.json, model.safetensors in half precision, how to prepare pictures, and how it was trained."""
    folder.mkdir(parents=True, exist_ok=True)
    # A network that was loaded keeps the names of the file it came from; a fresh one has those that all releases read.
    halves = SegformerForSemanticSegmentation(model.config)
    halves.load_state_dict(model.state_dict())
    halves.half().save_pretrained(folder)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
    prepare = {"size": {"height": size, "width": size}, "image_mean": [0.5] * 3, "image_std": [0.5] * 3}
    (folder / "preprocessor_config.json").write_text(json.dumps(prepare, indent=1) + "\n")
    (folder / "training.json").write_text(json.dumps(note, indent=1) + "\n")


class Run:
    """A training run: weights, their running average, and how much of its time is spent."""

    def __init__(self, arguments: argparse.Namespace, names: tuple[str, ...], size: int) -> None:
        self.arguments, self.size = arguments, size
        self.step, self.seconds, self.processor = 0, 0.0, 0.0
        self.model = network(names)
        notes = arguments.out / "training.json"
        if notes.exists():
            note = json.loads(notes.read_text())
            self.step, self.seconds, self.processor = note["steps"], note["seconds"], note["processor_seconds"]
            self.model = SegformerForSemanticSegmentation.from_pretrained(arguments.out, local_files_only=True).float()
        self.averaged = copy.deepcopy(self.model).requires_grad_(False)

    def save(self, faces: int, score: float) -> None:
        note = {k: v for k, v in vars(self.arguments).items() if k not in ("pictures", "out")}
        note |= {"steps": self.step, "seconds": round(self.seconds, 1), "processor_seconds": round(self.processor, 1)}
        note |= {"faces": faces, "mean_iou_on_damaged_renders_of_other_samples": score, "sources": ["own generator"]}
        save(self.averaged, self.arguments.out, self.size, note)


def train(arguments: argparse.Namespace) -> None:
    torch.manual_seed(arguments.seed)
    rng = np.random.default_rng(arguments.seed)
    pictures = load_pictures(arguments.pictures)
    pool = damaged_pool(arguments.pictures, pictures, variants=arguments.variants, seed=arguments.seed)
    count, names = len(pool[0]) - VALIDATION * arguments.variants, (BACKGROUND, *Template.load().region_names)
    run = Run(arguments, names, pool[0].shape[2])
    weight = torch.tensor([SMALL_WEIGHT if name in SMALL else 1.0 for name in names])
    swapped = {"l_": "r_", "r_": "l_"}
    other = torch.tensor(
        [names.index(swapped.get(n[:2], n[:2]) + n[2:]) if n[2:] != "lip" else k for k, n in enumerate(names)]
    )
    tests = batch(pool, np.arange(count, len(pool[0]), arguments.variants))
    optimiser = torch.optim.AdamW(run.model.parameters(), lr=arguments.rate, weight_decay=0.01)
    reported, began = run.seconds, run.step
    run.model.train()
    while (share := run.processor / (60 * arguments.minutes)) < 1:
        wall, processor = time.monotonic(), time.process_time()
        for group in optimiser.param_groups:
            group["lr"] = learning_rate(arguments.rate, share=share, step=run.step - began, warmup=WARMUP_STEPS)
        images, labels = varied(*batch(pool, np.sort(rng.integers(0, count, arguments.batch))), other, rng)
        loss = loss_of(full_logits(run.model, images), labels, weight)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(run.model.parameters(), 1.0)
        optimiser.step()
        run.step += 1
        update_average(run.averaged.state_dict().values(), run.model.state_dict().values(), step=run.step)
        run.seconds += time.monotonic() - wall
        run.processor += time.process_time() - processor
        if run.seconds - reported > 60 * arguments.report_minutes:
            reported, score = run.seconds, evaluate(run.averaged, tests, names)
            print(run.step, f"{loss.item():.3f}", f"{100 * share:.0f} %", score, f"{run.processor:.0f} s", flush=True)
            run.save(count // arguments.variants, score)
    run.save(count // arguments.variants, evaluate(run.averaged, tests, names))


def evaluate(model: SegformerForSemanticSegmentation, tests: tuple, names: tuple[str, ...]) -> float:
    model.eval()
    with torch.inference_mode():
        found = full_logits(model, tests[0]).argmax(1)
    return round(float(np.nanmean(intersection_over_union(found, tests[1], len(names)))), 4)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--pictures", type=Path, required=True)
    p.add_argument("--variants", type=int, default=3)
    p.add_argument("--minutes", type=float, default=30.0, help="of processor time")
    p.add_argument("--report-minutes", type=float, default=3.0, help="by the clock, between two saved states")
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    train(p.parse_args())


if __name__ == "__main__":
    main()
