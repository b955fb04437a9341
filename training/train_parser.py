"""Train the shipped face parser on renders of faces that are drawn while it learns.

python -m training.train_parser --people PEOPLE.npz --minutes 120 --out facecom/assets/parser

PEOPLE.npz is what `training.people` writes. Minutes are by the clock, on a graphics card where torch finds one. The
state is saved every few minutes; a run that was stopped goes on from there with the rest of its minutes. A line of
JSON for each saved state goes to OUT/curve.jsonl.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import cross_entropy, interpolate, one_hot
from transformers import SegformerConfig, SegformerForSemanticSegmentation

from facecom.guidance.parsing import BACKGROUND
from facecom.model.template import Template
from training.face_stream import FaceStream
from training.people import load
from training.picture_stream import PictureStream
from training.schedule import learning_rate, update_average

VALIDATION, VALIDATION_BATCH = 384, 32
VALIDATION_SEED = 10**6
SMALL = ("l_eye", "r_eye", "l_brow", "r_brow", "mouth", "u_lip", "l_lip", "l_ear", "r_ear")
SMALL_WEIGHT = 3.0
WARMUP_STEPS = 200
"""Steps until the learning rate is reached."""
STATE = "state.safetensors"
MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW remembers of each weight."""
SYNCHRONISE_STEPS = 20
"""A graphics card is waited for once in so many steps, so that the clock tells the truth."""


def network(names: tuple[str, ...]) -> SegformerForSemanticSegmentation:
    config = SegformerConfig(
        depths=[2, 2, 2, 2],
        hidden_sizes=[32, 64, 128, 160],
        num_attention_heads=[1, 2, 4, 4],
        sr_ratios=[8, 4, 2, 1],
        strides=[2, 2, 2, 2],
        mlp_ratios=[2, 2, 2, 2],
        decoder_hidden_size=96,
        classifier_dropout_prob=0.0,
        drop_path_rate=0.0,
        id2label=dict(enumerate(names)),
        label2id={n: k for k, n in enumerate(names)},
    )
    return SegformerForSemanticSegmentation(config)


def loss_of(logits: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
    """Cross entropy and one minus the Dice overlap of the classes of the batch (Milletari et al. 2016, section 3)."""
    shares, truth = logits.softmax(1), one_hot(labels, len(weight)).permute(0, 3, 1, 2).float()
    both, either = (shares * truth).sum((0, 2, 3)), (shares + truth).sum((0, 2, 3))
    there = truth.sum((0, 2, 3)) > 0
    dice = (1 - 2 * both / (either + 1.0))[there].mean()
    return cross_entropy(logits, labels, weight=weight) + dice


def full_logits(model: SegformerForSemanticSegmentation, images: Tensor) -> Tensor:
    return interpolate(model(images).logits.float(), images.shape[2:], mode="bilinear", align_corners=False)


def intersection_over_union(found: Tensor, truth: Tensor, classes: int) -> np.ndarray:
    pairs = torch.bincount(classes * truth.ravel() + found.ravel(), minlength=classes**2)
    table = pairs.reshape(classes, classes).double().cpu().numpy()
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
    """A training run: weights, their running average, the optimiser, and how much of its time is spent."""

    def __init__(
        self, options: argparse.Namespace, names: tuple[str, ...], *, sources: list[str], device: torch.device
    ) -> None:
        self.options, self.names, self.sources, self.device = options, names, sources, device
        self.step, self.seconds = 0, 0.0
        self.model = network(names).to(device)
        self.averaged = copy.deepcopy(self.model).requires_grad_(False)
        self.optimiser = torch.optim.AdamW(self.model.parameters(), lr=options.rate, weight_decay=0.01)
        if (options.out / "training.json").exists():
            note = json.loads((options.out / "training.json").read_text())
            self.step, self.seconds = note["steps"], note["seconds"]
            self._go_on(str(device))

    def _go_on(self, device: str) -> None:
        """From the last state; from the weights alone where that is no longer there."""
        if not (self.options.out / STATE).exists():
            kept = SegformerForSemanticSegmentation.from_pretrained(self.options.out, local_files_only=True).float()
            for each in (self.model, self.averaged):
                each.load_state_dict(kept.state_dict())
            return
        stored = load_file(self.options.out / STATE, device=device)
        parts = {part: {} for part in ("model", "averaged", *MOMENTS)}
        for name, value in stored.items():
            part, _, rest = name.partition("/")
            parts[part][rest] = value
        self.model.load_state_dict(parts["model"])
        self.averaged.load_state_dict(parts["averaged"])
        for name, weights in self.model.named_parameters():
            moments = {moment: parts[moment][name] for moment in MOMENTS}
            self.optimiser.state[weights] = moments | {"step": torch.tensor(float(self.step))}

    def _state(self) -> dict[str, Tensor]:
        """Weights, their average and the optimiser's moments by name."""
        state = {f"model/{k}": v for k, v in self.model.state_dict().items()}
        state |= {f"averaged/{k}": v for k, v in self.averaged.state_dict().items()}
        for name, weights in self.model.named_parameters():
            state |= {f"{moment}/{name}": self.optimiser.state[weights][moment] for moment in MOMENTS}
        return {name: value.clone().contiguous() for name, value in state.items()}

    @property
    def share(self) -> float:
        """Of the training that is over."""
        return self.seconds / (60 * self.options.minutes)

    def take(self, images: Tensor, labels: Tensor, weight: Tensor) -> Tensor:
        """One step; the loss."""
        for group in self.optimiser.param_groups:
            group["lr"] = learning_rate(self.options.rate, share=self.share, step=self.step, warmup=WARMUP_STEPS)
        with torch.autocast(self.device.type, dtype=torch.bfloat16):
            logits = full_logits(self.model, images)
        loss = loss_of(logits, labels, weight)
        self.optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), 1.0)
        self.optimiser.step()
        self.step += 1
        update_average(self.averaged.state_dict().values(), self.model.state_dict().values(), step=self.step)
        return loss.detach()

    def save(self, tests: list[tuple[Tensor, Tensor]], loss: float) -> None:
        """The averaged network with its score, the state to go on from, and a point of the learning curve."""
        scores = evaluate(self.averaged, tests, len(self.names))
        mean = round(float(np.nanmean(scores)), 4)
        note = {k: v for k, v in vars(self.options).items() if k not in ("people", "out", "report_minutes")}
        name = torch.cuda.get_device_name() if self.device.type == "cuda" else "cpu"
        note |= {"steps": self.step, "seconds": round(self.seconds, 1), "device": name, "torch": torch.__version__}
        note |= {"mean_iou_on_damaged_renders": mean, "sources": self.sources}
        save(copy.deepcopy(self.averaged).cpu(), self.options.out, self.options.size, note)
        save_file(self._state(), self.options.out / STATE)
        by_class = {n: round(float(s), 3) for n, s in zip(self.names, scores, strict=True)}
        line = {"step": self.step, "seconds": round(self.seconds), "loss": round(loss, 4), "mean_iou": mean} | by_class
        with (self.options.out / "curve.jsonl").open("a") as file:
            file.write(json.dumps(line) + "\n")
        print(json.dumps(line), flush=True)


def train(options: argparse.Namespace) -> None:
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    torch.manual_seed(options.seed)
    names = (BACKGROUND, *Template.load().region_names)
    people = load(options.people)
    stream = PictureStream.of(FaceStream.of(people, device=device), size=options.size)
    weight = torch.tensor([SMALL_WEIGHT if name in SMALL else 1.0 for name in names], device=device)
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options, names, sources=[each.name for each in people], device=device)
    held = torch.Generator(device).manual_seed(VALIDATION_SEED)
    tests = [stream.draw(VALIDATION_BATCH, held) for _ in range(VALIDATION // VALIDATION_BATCH)]
    random = torch.Generator(device).manual_seed(options.seed + run.step)
    reported, loss = run.seconds, torch.zeros(())
    run.model.train()
    while run.share < 1:
        began = time.monotonic()
        loss = run.take(*stream.draw(options.batch, random), weight)
        if run.step % SYNCHRONISE_STEPS == 0:
            float(loss)
        run.seconds += time.monotonic() - began
        if run.seconds - reported > 60 * options.report_minutes:
            reported = run.seconds
            run.save(tests, float(loss))
    run.save(tests, float(loss))


def evaluate(model: SegformerForSemanticSegmentation, tests: list[tuple[Tensor, Tensor]], classes: int) -> np.ndarray:
    """Intersection over union of each class."""
    model.eval()
    with torch.inference_mode():
        found = [full_logits(model, images).argmax(1) for images, _ in tests]
    return intersection_over_union(torch.cat(found), torch.cat([labels for _, labels in tests]), classes)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--people", type=Path, required=True)
    p.add_argument("--minutes", type=float, default=120.0, help="by the clock")
    p.add_argument("--report-minutes", type=float, default=3.0, help="between two saved states")
    p.add_argument("--batch", type=int, default=12)
    p.add_argument("--size", type=int, default=144, help="pixels on a side")
    p.add_argument("--rate", type=float, default=2e-3)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    train(p.parse_args())


if __name__ == "__main__":
    main()
