"""Compare face generators: the same training faces, the same code size, one table.

python -m benchmarks.generators register DATA --out REGISTERED.npz
python -m benchmarks.generators compare REGISTERED.npz --out DIR [--code 64] [--faces 200] [--minutes 2]

`register` lays the template on heads that no generator was trained on. `compare` trains (a) PCA, (b) the FaceCom
architecture and (c) our network on mixed faces of the built-in population, then fits the code of each to the registered
heads, whole and with parts left out. Errors are mean distances along the normal, mm, at the vertices of level 1 that
were measured: `seen` those fitted to, the rest those left out. The pose is fitted too; correspondence is told. Times
are the processor's, all threads together.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from facecom.geometry.mesh import Floats, Mesh, vertex_normals
from facecom.geometry.transform import fit_similarity
from facecom.model.linear import LinearGenerator
from facecom.model.stored import Kind, write_stored
from facecom.model.template import Template

HEADS = {
    **{f"simpop{k:02d}": (f"meshmonk_simpop/SIMPOP_{k:02d}.obj", "mm", 1.0) for k in (1, 7)},
    "james": ("menpo_james/james.obj", "mm", 1.0),
    "lps": ("lee_perry_smith/LeePerrySmith.glb", "mm", 45.7),
}
HOLES = {"nose": ((0, 8, -8), 30), "orbit": ((32, 38, -25), 27), "cheek": ((34, -22, -25), 32), "half": None}
NOISE_MM = 0.3
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Entry:
    """One generator: level-1 decode and derivative, and its figures."""

    name: str
    code_size: int
    decode: Callable[[Floats], Floats]
    jacobian: Callable[[Floats], Floats]
    iterations: int
    decode_fine: Callable[[Floats], Floats]
    parameters: int
    megabytes: float
    minutes: float
    steps: int


def register(data: Path, out: Path) -> None:
    """Register the heads that `out` lacks and keep vertices (face frame, mm) and what was measured."""
    from facecom.completion import complete
    from facecom.scan.files import read_scan

    arrays: Arrays = {}
    if out.is_file():
        with np.load(out, allow_pickle=False) as stored:
            arrays = dict(stored)
    for name, (file, unit, scale) in HEADS.items():
        if f"{name}.vertices" in arrays:
            continue
        scan = read_scan(data / file)
        done = complete(Mesh(scan.vertices * scale, scan.faces), unit=unit)
        arrays[f"{name}.vertices"] = done.pose.apply(done.face.vertices).astype(np.float32)
        arrays[f"{name}.measured"] = np.asarray(done.provenance) == 0
        np.savez_compressed(out, **arrays)
        print(f"{name}: {arrays[f'{name}.measured'].mean():.0%} measured", flush=True)


def fitted(entry: Entry, template: Template, target: Floats, weight: Floats) -> Floats:
    """Vertices of level 1 after fitting code and rigid motion to target vertices (V1, 3) with weights (V1,)."""
    code_size = entry.code_size
    code, moved = np.zeros(code_size), target
    normals = vertex_normals(target, template.faces[1])
    # along the surface, registered vertices are not sure: there they count little
    root = (
        np.sqrt(weight)[:, None, None] * (np.eye(3) * 0.2 + 0.8 * normals[:, :, None] * normals[:, None, :]) / NOISE_MM
    )
    for _ in range(entry.iterations):
        vertices, jacobian = entry.decode(code), entry.jacobian(code).reshape(len(target), 3, -1)
        turn = np.stack([np.cross(axis, vertices) for axis in np.eye(3)], axis=-1)
        rows = np.concatenate([jacobian, turn, np.broadcast_to(np.eye(3), turn.shape)], axis=2)
        whitened = np.einsum("vij,vjm->vim", root, rows).reshape(3 * len(target), -1)
        gap = np.einsum("vij,vj->vi", root, moved - vertices).ravel()
        precision, slope = whitened.T @ whitened, whitened.T @ gap
        precision[np.arange(code_size), np.arange(code_size)] += 1.0
        slope[:code_size] -= code
        delta = np.linalg.solve(precision, slope)
        code = code + delta[:code_size]
        moved = moved - np.cross(delta[-6:-3], moved) - delta[-3:]
    # back to the target's pose: the motion is all that lies between the two
    return fit_similarity(moved, target).apply(entry.decode(code))


def errors(entry: Entry, template: Template, heads: Arrays) -> dict[str, float]:
    """Mean errors in mm over the heads: `seen` on whole heads, and each hole."""
    count = template.counts[1]
    names = sorted({key.split(".")[0] for key in heads})
    proper = (np.hypot(template.vertices[:count, 0], template.vertices[:count, 1] - 10) < 85) & (
        template.vertices[:count, 2] > -85
    )
    found: dict[str, list[float]] = {"seen": [], **{hole: [] for hole in HOLES}}
    for name in names:
        target = heads[f"{name}.vertices"][:count].astype(float)
        normals = vertex_normals(target, template.faces[1])
        measured = heads[f"{name}.measured"][:count] & proper
        for hole in found:
            gone = removed(template.vertices[:count], hole) if hole != "seen" else np.zeros(count, bool)
            result = fitted(entry, template, target, (measured & ~gone).astype(float))
            distance = np.abs(np.einsum("vd,vd->v", result - target, normals))
            found[hole].append(float(distance[measured & (gone if hole != "seen" else ~gone)].mean()))
    return {hole: float(np.mean(values)) for hole, values in found.items()}


def removed(points: Floats, hole: str) -> np.ndarray:
    """Vertices that a hole takes, (V,)."""
    shape = HOLES[hole]
    if shape is None:
        return points[:, 0] > 3.0
    return np.linalg.norm(points - np.asarray(shape[0], float), axis=1) < shape[1]


def entries(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Iterator[Entry]:
    """The shipped model for reference, and the three, trained one after the other."""
    for make in (_shipped, _pca, _ours, _facecom):
        yield make(faces, template, folder, options)


def _shipped(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    model = LinearGenerator.load()
    model.save(folder / "shipped")
    files = [folder / "shipped" / name for name in ("weights.safetensors", "model.json")]
    return Entry(
        name="shipped, linear",
        code_size=model.code_size,
        decode=lambda code: model.decode(code, level=1),
        jacobian=lambda code: model.jacobian(code, level=1),
        iterations=2,
        decode_fine=lambda code: model.decode(code, level=2),
        parameters=model.modes.size + model.fields.size + 3 * template.counts[2],
        megabytes=sum(f.stat().st_size for f in files) / 1e6,
        minutes=float("nan"),
        steps=1,
    )


def _pca(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    from facecom.model.training import principal_modes

    since, count = time.process_time(), template.counts[1]
    mean = faces.mean(0, dtype=np.float64)
    modes = principal_modes(faces, mean.astype(np.float32), count=options.code).astype(np.float64)
    minutes = (time.process_time() - since) / 60
    stored = np.round(modes / np.abs(modes).max(axis=(1, 2), keepdims=True) * 32767).astype(np.int16)
    write_stored(folder / "pca", {"modes": stored, "mean": mean.astype(np.float32)}, {}, kind=Kind("pca", 1))
    flat, low = modes[:, :count].reshape(options.code, -1).T, modes.astype(np.float32).reshape(options.code, -1)
    return Entry(
        name="(a) PCA",
        code_size=options.code,
        decode=lambda code: mean[:count] + (flat @ code).reshape(-1, 3),
        jacobian=lambda code: flat,
        iterations=2,
        decode_fine=lambda code: mean + (code.astype(np.float32) @ low).reshape(-1, 3),
        parameters=modes.size + mean.size,
        megabytes=_megabytes(folder / "pca"),
        minutes=minutes,
        steps=1,
    )


def _facecom(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    from training.facecom_baseline import train_facecom

    trained = train_facecom(faces, template, code_size=options.code, minutes=options.minutes, seed=options.seed)
    trained.source.save(folder / "facecom")
    count, source = template.counts[1], trained.source
    # its derivative costs seconds: all steps use the one at code zero, and the steps are more
    straight = source.jacobian(np.zeros(options.code))[: 3 * count]
    return Entry(
        name="(b) FaceCom arch.",
        code_size=options.code,
        decode=lambda code: source.decode(code)[:count],
        jacobian=lambda code: straight,
        iterations=4,
        decode_fine=source.decode,
        parameters=sum(p.numel() for p in source.decoder.parameters()),
        megabytes=_megabytes(folder / "facecom"),
        minutes=trained.minutes,
        steps=trained.steps,
    )


def _ours(faces: np.ndarray, template: Template, folder: Path, options: argparse.Namespace) -> Entry:
    from facecom.model.generator import FaceGenerator
    from facecom.model.network import Sizes
    from facecom.model.training import TrainSettings, train

    since = time.process_time()
    settings = TrainSettings(sizes=Sizes(code=options.code), epochs=options.epochs, seed=options.seed)
    model: Any = train(faces, template, folder / "ours", settings=settings)
    model = FaceGenerator.load(folder / "ours")
    batches = -(-len(faces) // settings.batch)
    files = [folder / "ours" / name for name in ("weights.safetensors", "model.json")]
    return Entry(
        name="(c) ours",
        code_size=options.code,
        decode=lambda code: model.decode(code, level=1),
        jacobian=lambda code: model.jacobian(code, level=1),
        iterations=3,
        decode_fine=lambda code: model.decode(code, level=2),
        parameters=sum(p.numel() for p in model.parameters()) + model.modes.numel(),
        megabytes=sum(f.stat().st_size for f in files) / 1e6,
        minutes=(time.process_time() - since) / 60,
        steps=batches * settings.epochs,
    )


def _megabytes(folder: Path) -> float:
    return sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e6


def _milliseconds(decode: Callable[[Floats], Floats], code_size: int) -> float:
    code, times = np.random.default_rng(0).normal(size=code_size), []
    for _ in range(7):
        since = time.process_time()
        decode(code)
        times.append(time.process_time() - since)
    return 1000 * min(times)


def compare(options: argparse.Namespace) -> str:
    """The table, as Markdown."""
    from facecom.model.mixing import mixed_faces

    template = Template.load()
    with np.load(options.registered, allow_pickle=False) as stored:
        heads = dict(stored)
    faces = mixed_faces(LinearGenerator.load(), options.faces, seed=options.seed)
    holes = " | ".join(f"{hole} mm" for hole in HOLES)
    lines = [
        f"| generator | code | seen mm | {holes} | mean hole mm | parameters | MB | decode ms | training min | steps |",
        "| --- " * (9 + len(HOLES)) + "|",
    ]
    for entry in entries(faces, template, options.out, options):
        found = errors(entry, template, heads)
        mean_hole = np.mean([found[hole] for hole in HOLES])
        lines.append(
            f"| {entry.name} | {entry.code_size} | {found['seen']:.3f} | "
            + " | ".join(f"{found[hole]:.3f}" for hole in HOLES)
            + f" | {mean_hole:.3f} | {entry.parameters / 1e6:.1f} M | {entry.megabytes:.1f} "
            f"| {_milliseconds(entry.decode_fine, entry.code_size):.1f} | {entry.minutes:.1f} | {entry.steps} |"
        )
        print(lines[-1], flush=True)
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("register")
    verb.add_argument("data", type=Path)
    verb.add_argument("--out", type=Path, required=True)
    verb = verbs.add_parser("compare")
    verb.add_argument("registered", type=Path)
    verb.add_argument("--out", type=Path, required=True)
    verb.add_argument("--code", type=int, default=64)
    verb.add_argument("--faces", type=int, default=200)
    verb.add_argument("--epochs", type=int, default=5)
    verb.add_argument("--minutes", type=float, default=2.0, help="processor minutes for the FaceCom architecture")
    verb.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.verb == "register":
        register(options.data, options.out)
    else:
        print(compare(options))


if __name__ == "__main__":
    main()
