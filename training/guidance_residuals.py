"""What the fit leaves over on damaged heads that its population does not hold: training data of the inpainter.

python -m training.guidance_residuals --makehuman DATA/makehuman_cc0/makehuman_head.npz --vitruvian DATA/vitruvian_cc0 \
    --count 1000 --out out/guidance/residuals

Three kinds of heads in turn: MakeHuman's, Vitruvian's, and draws from the shipped generator that are wider than its
prior; all with smooth bumps of skin, partly mirrored. Each head loses a part and gets a scanner's noise, the face is
fitted to the rest with the last stages of the fit that `complete` uses, and scan, face and whole head are rendered from
all views. A run that is stopped goes on where it stood.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from facecom.completion import CompletionSettings, complete
from facecom.completion.alignment import face_mask, vertex_weights
from facecom.errors import FitError
from facecom.fitting.fit import FitSettings, default_fit_stages, fit
from facecom.geometry.closest_points import Surface
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.geometry.transform import Similarity, fit_similarity, rotation_from_vector
from facecom.guidance.camera import Camera, view_cameras
from facecom.guidance.guide import VIEW_HALF_MM, VIEW_SIZE_PX
from facecom.guidance.inpainting import hole_mask, known_residual
from facecom.guidance.rendering import Render, render
from facecom.model import face_region
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL
from training.artist_heads import Heads, makehuman, vitruvian

PROPER_MM = 80.0
MAKEHUMAN_SD, VITRUVIAN_SD = 0.15, 0.3
MAX_RESIDUAL_MM = 10.0
"""Where whole head and fitted face are farther apart, they show different parts of the head."""
HEADS_PER_FILE = 25
PICTURES = (
    "residual",
    "known",
    "other_residual",
    "other_known",
    "mask",
    "depth",
    "normals",
    "wanted",
    "turn",
    "counts",
)
log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Head:
    """A whole head in the face frame, mm, and where it comes from: 0 MakeHuman, 1 Vitruvian, 2 the generator."""

    mesh: Mesh
    source: int


def heads(model: LinearGenerator, artists: list[Heads], *, start: int, count: int, seed: int) -> Iterator[Head]:
    """Heads number `start` to `count`, the sources in turn."""
    poses = [complete(people.mean, unit="mm", model=model).pose for people in artists]
    for k in range(start, count):
        rng, source = np.random.default_rng([seed, k]), k % (len(artists) + 1)
        if source < len(artists):
            people, pose = artists[source], poses[source]
            mesh = _placed(people, k // (len(artists) + 1), pose)
        else:
            code = rng.uniform(0.8, 1.4) * rng.normal(size=model.code_size)
            mesh = Mesh(model.decode(code, level=SHAPE_LEVEL), model.template.faces[SHAPE_LEVEL])
        yield Head(_bumpy(mesh, rng), source)


def _placed(people: Heads, index: int, pose: Similarity) -> Mesh:
    """One artist's head moved so that its face lies where the average one's does."""
    average = pose.apply(people.mean.vertices)
    head = people.vertices[index].astype(float)
    core = face_region.face_mask(average, radius_mm=PROPER_MM)
    return Mesh(fit_similarity(head[core], average[core]).apply(head), people.faces)


def _bumpy(mesh: Mesh, rng: np.random.Generator) -> Mesh:
    """With smooth offsets along the normals, up to a millimetre or so, half of them on both sides."""
    at, total, spread = mesh.vertices, np.zeros(len(mesh.vertices)), rng.uniform(0.0, 0.5)
    for _ in range(rng.integers(4, 14)):
        centre, width, height = at[rng.integers(len(at))], rng.uniform(8, 30), rng.normal(0, spread)
        for side in ([1.0, 1, 1], [-1.0, 1, 1])[: 1 + (rng.uniform() < 0.5)]:
            squared = np.sum((at - centre * side) ** 2, axis=1)
            total += height * rng.normal(1.0, 0.2) * np.exp(-0.5 * squared / width**2)
    return mesh.with_vertices(at + total[:, None] * vertex_normals(at, mesh.faces))


def damage_mask(points: Floats, rng: np.random.Generator) -> Bools:
    """Which points of a face are lost: balls with wavy rims about points of the face proper, or one half."""
    if rng.uniform() < 0.15:
        return points[:, 0] * rng.choice([-1, 1]) > rng.uniform(-3, 12) + 2 * np.sin(points[:, 1] / 9)
    gone = np.zeros(len(points), bool)
    proper = np.flatnonzero((np.hypot(points[:, 0], points[:, 1] - 5) < 70) & (points[:, 2] > -65))
    for _ in range(rng.choice([1, 1, 1, 2, 3])):
        away = points - points[rng.choice(proper)]
        wave = 1 + 0.08 * np.sin(away[:, 0] / 5 + rng.uniform(0, 6)) * np.sin(away[:, 1] / 6)
        gone |= np.linalg.norm(away, axis=1) < rng.uniform(14, 38) * wave
    return gone


def simulate_scan(head: Mesh, rng: np.random.Generator) -> Mesh:
    """What a scanner keeps of a damaged head, with its noise."""
    at = head.vertices
    across, deep = rng.uniform(82, 115), rng.uniform(72, 115)
    kept: Bools = (np.hypot(at[:, 0], at[:, 1] - 10) < across) & (at[:, 2] > -deep) & ~damage_mask(at, rng)
    noisy = head.with_vertices(at + rng.uniform(0, 0.25) * rng.normal(size=at.shape))
    return noisy.submesh(np.all(kept[head.faces], axis=1))[0]


def fitted(scan: Mesh, model: LinearGenerator, rng: np.random.Generator) -> tuple[Mesh, Similarity]:
    """The face after the last two stages of the fit from nearly the right pose, and the pose it found."""
    settings = CompletionSettings()
    stages = default_fit_stages()
    nearly = Similarity(rotation_from_vector(0.02 * rng.normal(size=3)), rng.normal(size=3))
    found = fit(
        OrientedSurface(scan),
        model,
        nearly,
        settings=FitSettings(stages=(replace(stages[2], iterations=2), replace(stages[3], iterations=2))),
        weights=vertex_weights(model.template, level=FIT_LEVEL, settings=settings),
    )
    return Mesh(model.decode(found.code, level=SHAPE_LEVEL), model.template.faces[SHAPE_LEVEL]), found.pose


def examples(head: Head, model: LinearGenerator, cameras: dict[str, Camera], rng: np.random.Generator) -> list[dict]:
    """Pictures of all views of one head that show a hole."""
    scan = simulate_scan(head.mesh, rng)
    face, pose = fitted(scan, model, rng)
    proper = face_mask(model.template, level=SHAPE_LEVEL, radius_mm=PROPER_MM).astype(int)
    surfaces = Surface(scan.with_vertices(pose.apply(scan.vertices))), Surface(face)
    whole = Surface(head.mesh.with_vertices(pose.apply(head.mesh.vertices)))
    shown: dict[str, tuple[Render, Render]] = {}
    for name, camera in cameras.items():
        try:
            shown[name] = render(surfaces[0], camera), render(surfaces[1], camera, labels=proper)
        except ValueError:
            continue
    made = []
    for name, pair in shown.items():
        other = shown.get({"left": "right", "right": "left"}.get(name, name))
        if other is not None and (example := _example(*pair, *other, render(whole, cameras[name]))) is not None:
            made.append(example | {"source": head.source})
    return made


def _example(scan: Render, face: Render, other_scan: Render, other_face: Render, whole: Render) -> dict | None:
    """Everything that the network is shown and asked for in one view; None where it shows too little."""
    try:
        mask = hole_mask(scan, face)
    except ValueError:
        return None
    gap = np.nan_to_num(whole.depth - face.depth)
    counts = mask & whole.mask & (np.abs(gap) < MAX_RESIDUAL_MM)
    if counts.sum() < 20:
        return None
    axes = face.camera.axes
    residual, known = known_residual(scan, face, mask)
    other_residual, other_known = known_residual(other_scan, other_face, np.zeros_like(mask))
    turn = np.where(counts[..., None], whole.normals - face.normals, 0.0) @ axes.T
    arrays = (residual, known, other_residual[:, ::-1], other_known[:, ::-1], mask, np.nan_to_num(face.depth),
              face.normals @ axes.T, np.where(counts, gap * face.facing(), 0.0), turn, counts)  # fmt: skip
    return dict(zip(PICTURES, arrays, strict=True))


def make(model: LinearGenerator, artists: list[Heads], *, count: int, seed: int, out: Path) -> None:
    """Write shards of examples, half precision, of `HEADS_PER_FILE` heads each; those that are there stay."""
    out.mkdir(parents=True, exist_ok=True)
    first = HEADS_PER_FILE * len(list(out.glob("*.npz")))
    cameras, made = view_cameras(size=VIEW_SIZE_PX, half_mm=VIEW_HALF_MM), []
    for k, head in enumerate(heads(model, artists, start=first, count=count, seed=seed), start=first):
        try:
            made += examples(head, model, cameras, np.random.default_rng([seed, k, 1]))
        except FitError as error:
            log.warning("head %d is left out: %s", k, error)
        if (k + 1) % HEADS_PER_FILE == 0:
            arrays = {name: np.stack([e[name] for e in made]) for name in (*PICTURES, "source")}
            halves: dict[str, Any] = {
                n: a.astype(np.float16) if a.dtype == np.float64 else a for n, a in arrays.items()
            }
            np.savez(out / f"{k // HEADS_PER_FILE:04d}.npz", **halves)
            log.info("%d heads, %d examples in the last %d", k + 1, len(made), HEADS_PER_FILE)
            made = []


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--makehuman", type=Path, required=True)
    p.add_argument("--vitruvian", type=Path, required=True)
    p.add_argument("--count", type=int, default=1000)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--out", type=Path, required=True)
    a = p.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    each = -(-a.count // 3)
    artists = [
        makehuman(a.makehuman, count=each, part_sd=MAKEHUMAN_SD, seed=a.seed + 1000),
        vitruvian(a.vitruvian, count=each, part_sd=VITRUVIAN_SD, seed=a.seed + 1000),
    ]
    make(LinearGenerator.load(), artists, count=a.count, seed=a.seed, out=a.out)


if __name__ == "__main__":
    main()
