"""The generators that are compared, each made from the same faces behind one interface."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facecom.geometry.mesh import Floats, Ints
from facecom.model.face_region import face_weights
from facecom.model.linear.generator import LinearGenerator
from facecom.model.network.training import TrainSettings, iterate_training
from facecom.model.principal_modes import principal_modes
from facecom.model.storage import StorageFormat, write_stored
from facecom.model.template import Template

RELINEARISE = 1.0
"""How far a code goes, in standard deviations of each entry, before FaceCom's derivative is taken anew."""


@dataclass(frozen=True, eq=False)
class Entry:
    """One generator as the fit wants it, and its figures.

    decoded : codes (M,) or (B, M) and level -> vertices; slopes : code and level -> derivative (3 V, M)
    ordered : whether leading code entries move the face most
    """

    name: str
    code_size: int
    template: Template
    decoded: Callable[[Floats, int], Floats]
    slopes: Callable[[Floats, int], Floats]
    iterations: int
    parameters: int
    megabytes: float
    minutes: float
    steps: int
    ordered: bool = True

    def faces(self, level: int) -> Ints:
        """Triangles of a level."""
        return self.template.faces[level]

    def decode(self, code: Floats, *, level: int) -> Floats:
        """Vertices of a level."""
        return self.decoded(code, level)

    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Their derivative."""
        return self.slopes(code, level)


def shipped(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    """The model in the package, for reference: other faces, more code entries."""
    model = LinearGenerator.load()
    model.save(folder)
    return plain_entry("shipped, linear", model, megabytes=_megabytes(folder))


def plain_entry(name: str, model: LinearGenerator, *, megabytes: float = float("nan")) -> Entry:
    """A linear model that is there already."""
    return Entry(
        name=name,
        code_size=model.code_size,
        template=model.template,
        decoded=lambda code, level: model.decode(code, level=level),
        slopes=lambda code, level: model.jacobian(code, level=level),
        iterations=2,
        parameters=model.modes.size + model.fields.size + 3 * model.template.counts[2],
        megabytes=megabytes,
        minutes=float("nan"),
        steps=0,
    )


def pca(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    """Modes of the faces, every vertex alike."""
    return linear_entry("(a) PCA", faces, template, folder, options.code, weights=None)


def weighted_pca(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    """Modes that lose least on the face proper: what ours starts from."""
    weights = face_weights(template, outer=TrainSettings().outer_weight)
    return linear_entry("(a') PCA, weighted as ours", faces, template, folder, options.code, weights=weights)


def linear_entry(
    name: str, faces: np.ndarray, template: Template, folder: Path, size: int, *, weights: Floats | None
) -> Entry:
    """Principal modes of the faces, which lose least where the weights are large; written into a folder."""
    since = time.process_time()
    mean = faces.mean(0, dtype=np.float64)
    modes = principal_modes(faces, mean.astype(np.float32), count=size, weights=weights)
    minutes = (time.process_time() - since) / 60
    if weights is None:  # modes that are orthogonal under weights do not show what the first of them leave
        print(f"{name}: training error in mm by modes: {_left_over(faces[::6] - mean, modes)}", flush=True)
    arrays = {"modes": np.round(modes / np.abs(modes).max(axis=(1, 2), keepdims=True) * 32767).astype(np.int16)}
    write_stored(folder, arrays | {"mean": mean.astype(np.float32)}, {}, kind=StorageFormat("pca", 1))
    np.save(folder / "modes.npy", modes)
    flat = modes.reshape(size, -1)
    high = [flat[:, : 3 * template.counts[k]].T.astype(float) for k in (0, 1)]

    def decoded(code: Floats, level: int) -> Floats:
        count = template.counts[level]
        return mean[:count] + (code.astype(np.float32) @ flat[:, : 3 * count]).reshape(*code.shape[:-1], count, 3)

    return Entry(
        name=name,
        code_size=size,
        template=template,
        decoded=decoded,
        slopes=lambda code, level: high[level],
        iterations=2,
        parameters=modes.size + mean.size,
        megabytes=_megabytes(folder),
        minutes=minutes,
        steps=0,
    )


def _left_over(offsets: np.ndarray, modes: np.ndarray) -> dict[int, float]:
    """Mean absolute coordinate that the first modes leave of offsets: a ruler for the training errors of networks."""
    left, flat = offsets.reshape(len(offsets), -1), modes.reshape(len(modes), -1)
    codes = left @ flat.T / (flat**2).sum(1)
    counts = [k for k in (0, 8, 16, 32, 64) if k < len(flat)] + [len(flat)]
    return {k: round(float(np.abs(left - codes[:, :k] @ flat[:k]).mean()), 3) for k in counts}


def facecom(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    """FaceCom's architecture from random weights, its recipe but for the length."""
    from training.train_facecom_baseline import Budget, train_facecom

    budget = Budget(options.minutes, seed=options.seed, device=options.device)
    trained = train_facecom(faces, template, code_size=options.code, budget=budget, folder=folder / "training")
    return _facecom_entry("(b) FaceCom's architecture", trained, template, folder, ordered=False)


def facecom_from_pca(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    """FaceCom's decoder, started as PCA: where its shape ends when training is short."""
    from training.train_facecom_baseline import Budget, train_from_pca

    modes = np.load(folder.parent / "pca" / "modes.npy")
    offsets = (faces - faces.mean(0, dtype=np.float64).astype(np.float32)).reshape(len(faces), -1)
    flat = modes.reshape(len(modes), -1)
    codes = offsets @ flat.T / (flat**2).sum(1)
    budget = Budget(options.minutes, rate=1e-4, seed=options.seed, device=options.device)
    trained = train_from_pca(faces, template, codes, modes, budget=budget)
    return _facecom_entry("(b') its decoder, started as PCA", trained, template, folder, ordered=True)


def _facecom_entry(name: str, trained: Any, template: Template, folder: Path, *, ordered: bool) -> Entry:
    source = trained.source
    source.save(folder)
    print(f"{name}: {trained.steps} steps, training error {trained.error_mm:.3f} mm", flush=True)
    # its derivative costs most of a second: it is taken anew only where the code has gone far, and the steps are more
    held: list[tuple[Floats, Floats]] = []

    def slopes(code: Floats, level: int) -> Floats:
        if not held or np.linalg.norm(code - held[0][0]) > RELINEARISE * np.sqrt(len(code)):
            held[:] = [(code.copy(), source.jacobian(code))]
        return held[0][1][: 3 * template.counts[level]]

    def decoded(code: Floats, level: int) -> Floats:
        count = template.counts[level]
        return source.decode(code)[..., :count, :]

    return Entry(
        name=name,
        code_size=source.code_size,
        template=template,
        decoded=decoded,
        slopes=slopes,
        iterations=5,
        parameters=sum(p.numel() for p in source.decoder.parameters()),
        megabytes=_megabytes(folder),
        minutes=trained.minutes,
        steps=trained.steps,
        ordered=ordered,
    )


def ours(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    """Linear trunk and mesh network; goes on where it was stopped."""
    from facecom.model.network.generator import FaceGenerator
    from facecom.model.network.mesh_network import Sizes

    settings = TrainSettings(sizes=Sizes(code=options.code), epochs=options.epochs, seed=options.seed)
    if not (folder / "model.json").is_file():
        for state in iterate_training(faces, template, folder, settings=settings):
            print(f"ours: epoch {state.epoch}, {state.error_mm:.4f} mm, {state.seconds:.0f} s", flush=True)
    model = FaceGenerator.load(folder)
    files = [folder / name for name in ("weights.safetensors", "model.json")]
    return Entry(
        name="(c) ours",
        code_size=model.code_size,
        template=template,
        decoded=lambda code, level: model.decode(code, level=level),
        slopes=lambda code, level: model.jacobian(code, level=level),
        iterations=3,
        parameters=sum(p.numel() for p in model.parameters()) + model.modes.numel(),
        megabytes=sum(f.stat().st_size for f in files) / 1e6,
        minutes=model.description["training"]["processor_minutes"],
        steps=-(-len(faces) // settings.batch) * settings.epochs,
    )


KINDS = {
    "shipped": shipped,
    "pca": pca,
    "weighted_pca": weighted_pca,
    "facecom": facecom,
    "facecom_from_pca": facecom_from_pca,
    "ours": ours,
}


def _megabytes(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.iterdir() if p.suffix in (".json", ".safetensors")) / 1e6
