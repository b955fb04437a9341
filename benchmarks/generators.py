"""Compare face generators: the same training faces, the same code size, one table.

python -m training.make_faces --count 2304 --makehuman ... --vitruvian ... --out FACES.npy
python -m benchmarks.generators register DATA --out REGISTERED.npz
python -m benchmarks.generators table FACES.npy REGISTERED.npz BENCH --out DIR [--code 128] [--minutes 3]
python -m benchmarks.generators holes BENCH MODEL ... --out DIR [--every 1]
python -m benchmarks.generators weights FACES.npy REGISTERED.npz BENCH --out DIR
python -m benchmarks.generators times MODEL ...

`register` lays the template on heads that no generator was trained on. `table` trains each generator that DIR lacks,
fits its code to the registered heads and to the scans of the dev suite, and prints the table; what DIR has is not made
again. `holes` fits models that lie in folders to the dev suite alone, by head. `weights` chooses how much a PCA counts
what lies beyond the face, head by head without the head that judges. `times` prints wall time of decoding.

`seen` is the mean distance along the normal at the vertices of level 1 that were measured, correspondence told; `hole`
that of the true missing surface to the fitted face on the dev suite, from the pose that the shipped model finds with
nothing told. The pose is fitted in both. Times are the processor's, all threads together.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.generator_holes import GROUPS, group_of, hole_errors
from benchmarks.generator_kinds import KINDS, Entry, plain_entry
from benchmarks.generator_weights import weighted_entries, weights_markdown
from facecom.geometry.mesh import Floats, Mesh, vertex_normals
from facecom.geometry.transform import fit_similarity
from facecom.io.files import read_scan
from facecom.model.checkpoint import load_model
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import Template

HEADS = {
    **{f"simpop{k:02d}": (f"meshmonk_simpop/SIMPOP_{k:02d}.obj", "mm", 1.0) for k in (1, 7, 13)},
    "james": ("menpo_james/james.obj", "mm", 1.0),
    "lps": ("lee_perry_smith/LeePerrySmith.glb", "mm", 45.7),
}
NOISE_MM = 0.3
Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Figures:
    """One row of the table; errors and lengths in mm."""

    name: str
    code: int
    seen_mm: dict[str, float]
    hole_mm: dict[str, float]
    parameters: int
    megabytes: float
    decode_ms: float
    decode_32_ms: float
    minutes: float
    steps: int


def register(data: Path, out: Path) -> None:
    """Register the heads that `out` lacks and keep vertices (face frame, mm) and what was measured."""
    from facecom.registration import register as register_scans

    arrays: Arrays = {}
    if out.is_file():
        with np.load(out, allow_pickle=False) as stored:
            arrays = dict(stored)
    for name, (file, unit, scale) in HEADS.items():
        if f"{name}.vertices" in arrays:
            continue
        scan = read_scan(data / file)
        found = register_scans([Mesh(scan.vertices * scale, scan.faces)], unit=unit)[0]
        count = found.template.counts[1]
        arrays[f"{name}.vertices"] = found.in_face_frame[:count].astype(np.float32)
        arrays[f"{name}.measured"] = found.measured[:count]
        np.savez_compressed(out, **arrays)
        print(f"{name}: {found.verdict}", flush=True)


def proper(template: Template) -> np.ndarray:
    """Vertices of level 1 on the face proper, (V1,)."""
    x, y, z = template.vertices[: template.counts[1]].T
    return (np.hypot(x, y - 10) < 85) & (z > -85)


def fitted(entry: Entry, template: Template, target: Floats, weight: Floats) -> Floats:
    """Vertices of level 1 after fitting code and rigid motion to target vertices (V1, 3) with weights (V1,)."""
    code, moved = np.zeros(entry.code_size), target
    normals = vertex_normals(target, template.faces[1])
    # along the surface, registered vertices are not sure: there they count little
    root = (
        np.sqrt(weight)[:, None, None] * (np.eye(3) * 0.2 + 0.8 * normals[:, :, None] * normals[:, None, :]) / NOISE_MM
    )
    for _ in range(entry.iterations):
        vertices, jacobian = entry.decode(code, level=1), entry.jacobian(code, level=1).reshape(len(target), 3, -1)
        turn = np.stack([np.cross(axis, vertices) for axis in np.eye(3)], axis=-1)
        rows = np.concatenate([jacobian, turn, np.broadcast_to(np.eye(3), turn.shape)], axis=2)
        whitened = np.einsum("vij,vjm->vim", root, rows).reshape(3 * len(target), -1)
        gap = np.einsum("vij,vj->vi", root, moved - vertices).ravel()
        precision, slope = whitened.T @ whitened, whitened.T @ gap
        precision[np.arange(len(code)), np.arange(len(code))] += 1.0
        slope[: len(code)] -= code
        delta = np.linalg.solve(precision, slope)
        code = code + delta[: len(code)]
        moved = moved - np.cross(delta[-6:-3], moved) - delta[-3:]
    # back to the target's pose: the motion is all that lies between the two
    return fit_similarity(moved, target).apply(entry.decode(code, level=1))


def seen_errors(entry: Entry, template: Template, heads: Arrays) -> dict[str, float]:
    """Mean distance in mm on the measured face, by head."""
    found = {}
    for name in sorted({key.split(".")[0] for key in heads}):
        count = template.counts[1]
        target = heads[f"{name}.vertices"][:count].astype(float)
        measured = heads[f"{name}.measured"][:count] & proper(template)
        result = fitted(entry, template, target, measured.astype(float))
        distance = np.abs(np.einsum("vd,vd->v", result - target, vertex_normals(target, template.faces[1])))
        found[name] = float(distance[measured].mean())
    return found


def milliseconds(
    decode: Callable[[Floats], Any], codes: Floats, *, clock: Callable[[], float] = time.process_time
) -> float:
    """Shortest of several decodings, processor time unless another clock is given."""
    spent = []
    for _ in range(7):
        since = clock()
        decode(codes)
        spent.append(clock() - since)
    return 1000 * min(spent)


def measured(entry: Entry, template: Template, heads: Arrays, holes: dict[str, float]) -> Figures:
    """All figures of a generator."""
    codes = np.random.default_rng(0).normal(size=(32, entry.code_size))
    return Figures(
        name=entry.name,
        code=entry.code_size,
        seen_mm=seen_errors(entry, template, heads),
        hole_mm=holes,
        parameters=entry.parameters,
        megabytes=entry.megabytes,
        decode_ms=milliseconds(lambda code: entry.decode(code, level=2), codes[0]),
        decode_32_ms=milliseconds(lambda code: entry.decode(code, level=2), codes),
        minutes=entry.minutes,
        steps=entry.steps,
    )


def markdown(rows: list[Figures]) -> str:
    """The table."""
    heads = [f"{group} seen" for group in GROUPS]
    titles = [
        "generator",
        "code",
        *heads,
        "hole, dev suite",
        "parameters",
        "MB",
        "decode ms",
        "32 faces ms",
        "training min",
        "steps",
    ]
    lines = ["| " + " | ".join(titles) + " |", "| --- " * len(titles) + "|"]
    for row in rows:
        seen = [np.mean([v for k, v in row.seen_mm.items() if k.startswith(group)]) for group in GROUPS]
        cells = [row.name, str(row.code), *(f"{value:.3f}" for value in [*seen, np.mean(list(row.hole_mm.values()))])]
        cells += [
            f"{row.parameters / 1e6:.1f} M",
            f"{row.megabytes:.1f}",
            f"{row.decode_ms:.1f}",
            f"{row.decode_32_ms:.0f}",
        ]
        cells += [f"{row.minutes:.1f}" if row.minutes == row.minutes else "", str(row.steps) if row.steps else ""]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def table(options: argparse.Namespace) -> str:
    """Train and measure what is not there yet; the table as Markdown."""
    template, kept = Template.load(), options.out / "figures.json"
    options.out.mkdir(parents=True, exist_ok=True)
    stored = json.loads(kept.read_text()) if kept.is_file() else {}
    faces = np.load(options.faces, mmap_mode="r")
    with np.load(options.registered, allow_pickle=False) as arrays:
        heads = dict(arrays)
    cases = sorted(p.parent for p in options.bench.glob("cases/*/scan.ply"))[:: options.every]
    wanted = [name for name in options.only or KINDS if name not in stored]
    entries = {}
    for name in wanted:
        entries[name] = KINDS[name](faces, template, options.out / name, options)
        print(f"{name}: trained, {entries[name].minutes:.1f} min", flush=True)
    holes = hole_errors(list(entries.values()), template, cases, kept=options.out / "holes.json")
    for name, entry in entries.items():
        stored[name] = asdict(measured(entry, template, heads, holes[entry.name]))
        kept.write_text(json.dumps(stored, indent=1))
    return markdown([Figures(**stored[name]) for name in KINDS if name in stored])


def holes(options: argparse.Namespace) -> str:
    """Errors in the hole by head for models in folders, the shipped one first; Markdown."""
    cases = sorted(p.parent for p in options.bench.glob("cases/*/scan.ply"))[:: options.every]
    shipped = LinearGenerator.load()
    entries = [plain_entry("shipped", shipped)]
    entries += [plain_entry(path.name, LinearGenerator.load(path)) for path in options.models]
    options.out.mkdir(parents=True, exist_ok=True)
    found = hole_errors(entries, shipped.template, cases, kept=options.out / "holes.json")
    of_heads = {case: group_of(case) for case in found["shipped"]}
    lines = ["| model | " + " | ".join((*GROUPS, "all")) + " |", "| --- " * (len(GROUPS) + 2) + "|"]
    for name, errors in found.items():
        means = [np.mean([errors[case] for case, of in of_heads.items() if of == group]) for group in GROUPS]
        lines.append(f"| {name} | " + " | ".join(f"{v:.3f}" for v in [*means, np.mean(list(errors.values()))]) + " |")
    return "\n".join(lines)


def weights(options: argparse.Namespace) -> str:
    """Shares of what lies beyond the face, and what comes out where other heads choose; Markdown."""
    template = Template.load()
    options.out.mkdir(parents=True, exist_ok=True)
    with np.load(options.registered, allow_pickle=False) as arrays:
        heads = dict(arrays)
    faces = np.load(options.faces, mmap_mode="r")
    entries = weighted_entries(faces, template, options.out, code_size=options.code)
    seen = {entry.name: seen_errors(entry, template, heads) for entry in entries}
    cases = sorted(p.parent for p in options.bench.glob("cases/*/scan.ply"))[:: options.every]
    found = hole_errors(entries, template, cases, kept=options.out / "holes.json")
    return weights_markdown(seen, found)


def times(options: argparse.Namespace) -> str:
    """Shortest wall milliseconds of decoding one face and 32, levels 2 and 3, for models in folders; Markdown."""
    lines = ["| model | one, level 2 | 32, level 2 | one, level 3 | 32, level 3 |", "| --- " * 5 + "|"]
    for path in [None, *options.models]:
        model = load_model(path or "shipped")
        codes = np.random.default_rng(0).normal(size=(32, model.code_size))
        cells = [
            f"{milliseconds(partial(model.decode, level=level), given, clock=time.perf_counter):.1f}"
            for level in (2, 3)
            for given in (codes[0], codes)
        ]
        lines.append(f"| {path.name if path else 'shipped'} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("register")
    verb.add_argument("data", type=Path)
    verb.add_argument("--out", type=Path, required=True)
    for name in ("table", "weights"):
        verb = verbs.add_parser(name)
        for path in ("faces", "registered", "bench"):
            verb.add_argument(path, type=Path)
        verb.add_argument("--out", type=Path, required=True)
        verb.add_argument("--code", type=int, default=128)
        verb.add_argument("--every", type=int, default=1, help="take every so manieth case of the dev suite")
    verb = verbs.choices["table"]
    verb.add_argument("--minutes", type=float, default=3.0, help="of the processor, or on a GPU the clock, for (b)")
    verb.add_argument(
        "--device", default="cpu", help="where FaceCom's architecture is trained; ours takes what is there"
    )
    verb.add_argument("--epochs", type=int, default=12, help="of ours")
    verb.add_argument("--only", nargs="*", choices=list(KINDS), help="measure these now")
    verb.add_argument("--seed", type=int, default=0)
    verb = verbs.add_parser("holes")
    verb.add_argument("bench", type=Path)
    verb.add_argument("models", type=Path, nargs="*")
    verb.add_argument("--out", type=Path, required=True)
    verb.add_argument("--every", type=int, default=1)
    verbs.add_parser("times").add_argument("models", type=Path, nargs="*")
    options = parser.parse_args()
    if options.verb == "register":
        register(options.data, options.out)
    else:
        print({"table": table, "holes": holes, "weights": weights, "times": times}[options.verb](options))


if __name__ == "__main__":
    main()
