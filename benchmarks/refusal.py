"""How often a thing that is no face passes for one, and how often a face is refused: prints one table.

    python benchmarks/refusal.py [--number 200] [--seed 0] [--faces FOLDER] [--figures FILE]

The things are made here: balls, boxes, rings, hands, bunnies, animals, vases, height fields and crumpled sheets of 100
to 350 mm, half of them with a part cut away, all with scanner noise and in any pose. The faces are drawn from the model
and cut by every defect of `facecom.evaluation.defects`, and, with --faces, every scan.ply in the folders of FOLDER.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from facecom.completion import CompletionSettings, Verdict, complete, find_face, prepare_scan
from facecom.errors import FacecomError, need
from facecom.evaluation.defects import DEFECTS
from facecom.evaluation.partial import ScanSettings, partial_scan
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear import LinearGenerator
from facecom.scan.files import read_scan

Rng = np.random.Generator
Parts = list[tuple[Any, Any]]
EVERYTHING = Verdict(least_score=-9.0, most_rms_mm=1e9, most_prior=1e9)
"""Refuses nothing, so that the figures of what would be refused are seen too."""


def ball(rng: Rng, stretch: float = 0.0) -> Mesh:
    """A sphere, or an ellipsoid with axes that differ by up to `stretch`."""
    made = need("trimesh").creation.icosphere(5)
    return Mesh(made.vertices * (1 + rng.uniform(0, stretch, 3)), made.faces)


def ellipsoid(rng: Rng) -> Mesh:
    """An egg, a potato."""
    mesh = ball(rng, 1.2)
    return mesh.with_vertices(mesh.vertices + 0.15 * _waves(rng, mesh.vertices, 2.0)[:, None] * mesh.vertices)


def box(rng: Rng) -> Mesh:
    """A box with sharp edges."""
    return _rounded(rng, 60.0)


def rounded_box(rng: Rng) -> Mesh:
    """A box with round edges: a superellipsoid."""
    return _rounded(rng, rng.uniform(2.5, 8))


def _rounded(rng: Rng, power: float) -> Mesh:
    mesh = ball(rng)
    length = np.sum(np.abs(mesh.vertices) ** power, axis=1) ** (1 / power)
    return mesh.with_vertices(mesh.vertices / length[:, None] * rng.uniform(0.4, 1, 3))


def ring(rng: Rng) -> Mesh:
    """A torus."""
    made = need("trimesh").creation.torus(1.0, rng.uniform(0.15, 0.6), major_sections=120, minor_sections=60)
    return Mesh(made.vertices, made.faces)


def vase(rng: Rng) -> Mesh:
    """A surface of revolution, open at the top."""
    height = np.linspace(0, 1, 90)
    radius = 0.3 + 0.12 * sum(np.sin(rng.uniform(2, 12) * height + rng.uniform(0, 6)) for _ in range(3)) / 1.5
    turn = np.linspace(0, 2 * np.pi, 120, endpoint=False)
    rows = np.stack([np.outer(radius, np.cos(turn)), np.outer(radius, np.sin(turn)), np.outer(height, 0 * turn + 1)], 2)
    return Mesh(rows.reshape(-1, 3), _grid_faces(90, 120, closed=True)[:, ::-1])


def bunny(rng: Rng) -> Mesh:
    """A head with ears on a body with legs."""
    parts: Parts = [
        ((0, 0, 0), (0.6, 0.5, 0.7)),
        ((0, 0.55, 0.45), (0.33, 0.36, 0.34)),
        ((0, 0.8, 0.35), (0.1, 0.12, 0.1)),
    ]
    for side in (-1, 1):
        parts += [((0.14 * side, 0.5, 0.95), (0.09, 0.06, 0.38)), ((0.35 * side, 0.45, -0.5), (0.16, 0.3, 0.14))]
    return _joined([(np.array(c) + rng.normal(0, 0.05, 3), np.array(r) * rng.uniform(0.7, 1.3, 3)) for c, r in parts])


def animal(rng: Rng) -> Mesh:
    """A statue: trunk, neck, head, snout, four legs, tail."""
    parts: Parts = [
        ((0, 0, 0), (0.35, 0.8, 0.4)),
        ((0, 0.75, 0.4), (0.18, 0.22, 0.4)),
        ((0, 0.95, 0.75), (0.22, 0.3, 0.22)),
    ]
    parts += [((0, 1.25, 0.68), (0.12, 0.25, 0.12)), ((0, -0.9, 0.2), (0.07, 0.4, 0.07))]
    parts += [((0.22 * x, 0.5 * y, -0.55), (0.11, 0.12, 0.5)) for x in (-1, 1) for y in (-1, 1)]
    return _joined([(np.array(c) + rng.normal(0, 0.06, 3), np.array(r) * rng.uniform(0.7, 1.4, 3)) for c, r in parts])


def hand(rng: Rng) -> Mesh:
    """A palm with five fingers, each a chain of stretched balls."""
    parts: Parts = [((0, 0, 0), (0.42, 0.48, 0.16))]
    for k, angle in enumerate(np.radians([-60, -18, -5, 8, 22]) + rng.normal(0, 0.08, 5)):
        base, along = np.array([-0.4 + 0.2 * k, 0.35 - 0.4 * (k == 0), 0]), np.array([np.sin(angle), np.cos(angle), 0])
        bend = rng.uniform(0, 0.25)
        for step in range(6):
            parts.append((base + along * 0.11 * step + [0, 0, bend * (step / 5) ** 2], (0.1, 0.12, 0.09)))
    return _joined([(np.array(c, float), np.array(r) * rng.uniform(0.9, 1.1)) for c, r in parts])


def terrain(rng: Rng) -> Mesh:
    """A height field with hills of several sizes."""
    return _height_field(rng, (0.7, 1.5, 3.0, 6.0), rng.uniform(0.1, 0.4))


def noise_field(rng: Rng) -> Mesh:
    """A height field without long waves."""
    return _height_field(rng, (8.0, 14.0), rng.uniform(0.03, 0.1))


def crumpled(rng: Rng) -> Mesh:
    """A bent sheet with sharp folds."""
    mesh = _height_field(rng, (1.0,), 0.3)
    fold = sum(np.abs(_waves(rng, mesh.vertices, rng.uniform(1, 4))) for _ in range(4))
    return mesh.with_vertices(mesh.vertices + np.outer(fold, [0, 0, rng.uniform(0.03, 0.12)]))


def _height_field(rng: Rng, frequencies: tuple[float, ...], height: float) -> Mesh:
    y, x = np.mgrid[-1:1:110j, -1:1:110j]
    flat = np.stack([x.ravel(), y.ravel() * rng.uniform(0.7, 1.3), np.zeros(x.size)], 1)
    flat[:, 2] = height * sum(_waves(rng, flat, f) / np.sqrt(f) for f in frequencies)
    return Mesh(flat, _grid_faces(110, 110, closed=False))


def _grid_faces(rows: int, columns: int, *, closed: bool) -> NDArray:
    index = np.arange(rows * columns).reshape(rows, columns)
    right = np.roll(index, -1, axis=1)
    a, b, c, d = index[:-1], right[:-1], right[1:], index[1:]
    if not closed:
        a, b, c, d = (part[:, :-1] for part in (a, b, c, d))
    return np.concatenate([np.stack([part.ravel() for part in three], 1) for three in ((a, b, c), (a, c, d))])


def _waves(rng: Rng, points: NDArray, frequency: float) -> NDArray:
    """A smooth random function of about unit height."""
    numbers = rng.normal(size=(12, 3)) * frequency
    return np.sin(points @ numbers.T + rng.uniform(0, 2 * np.pi, 12)).sum(1) / np.sqrt(6)


def _joined(parts: Parts) -> Mesh:
    """Union of ellipsoids (centre, radii)."""
    manifold = need("manifold3d")
    balls = [
        manifold.Manifold.sphere(1.0, 48).scale(list(map(float, r))).translate(list(map(float, c))) for c, r in parts
    ]
    made = manifold.Manifold.batch_boolean(balls, manifold.OpType.Add).refine_to_length(0.05).to_mesh()
    return Mesh(np.asarray(made.vert_properties)[:, :3], made.tri_verts)


KINDS: tuple[Callable[[Rng], Mesh], ...] = (
    ball, ellipsoid, box, rounded_box, ring, hand, bunny, animal, vase, terrain, noise_field, crumpled,
)  # fmt: skip


def things(number: int, seed: int) -> Iterator[tuple[str, Mesh]]:
    """Things that are no faces, mm, the kinds in turn."""
    for k in range(number):
        rng = np.random.default_rng([seed, k])
        kind = KINDS[k % len(KINDS)]
        mesh = kind(rng)
        mesh = mesh.with_vertices(mesh.vertices * rng.uniform(100, 350) / np.ptp(mesh.vertices, axis=0).max())
        mesh = _roughened(rng, mesh, rng.uniform(0, 3))
        if rng.random() < 0.5:
            mesh = _opened(rng, mesh)
        turn = rotation_from_vector(rng.normal(size=3) * 2)
        yield kind.__name__, mesh.with_vertices(Similarity(turn, rng.uniform(-200, 200, 3)).apply(mesh.vertices))


def _roughened(rng: Rng, mesh: Mesh, height_mm: float) -> Mesh:
    """The surface with dents of that height and 0.1 mm of noise."""
    bump = height_mm * _waves(rng, mesh.vertices, 0.05)
    moved = mesh.vertices + bump[:, None] * vertex_normals(mesh.vertices, mesh.faces)
    return mesh.with_vertices(moved + rng.normal(0, 0.1, moved.shape))


def _opened(rng: Rng, mesh: Mesh) -> Mesh:
    """What lies on one side of a plane near the middle, as a scan from one side has it."""
    along = mesh.vertices @ rng.normal(size=3)
    kept = np.asarray(along > np.quantile(along, rng.uniform(0.1, 0.6)))
    return mesh.submesh(np.all(kept[mesh.faces], axis=1))[0]


def drawn_faces(model: LinearGenerator, seed: int) -> Iterator[tuple[str, Mesh]]:
    """Two faces of the model for each defect, turned by up to 180 degrees; key points alone are no surface."""
    for k, defect in enumerate(d for d in DEFECTS if d != "keypoints"):
        for again in range(2):
            case = 2 * k + again + 1000 * seed
            settings = ScanSettings(clutter=3 * again, max_angle=np.pi)
            yield defect, partial_scan(model.sample(case, level=2), defect, seed=case, settings=settings).scan


def kept_faces(folder: Path) -> Iterator[tuple[str, Mesh]]:
    """Scans that somebody knows to be faces."""
    for path in sorted(folder.glob("*/scan.ply")):
        yield f"of {folder.name}", read_scan(path)


def figures(mesh: Mesh, model: LinearGenerator, *, unit: Any) -> dict[str, Any]:
    """What the search for a face says of a scan."""
    settings = CompletionSettings()
    began = time.perf_counter()
    try:
        scan = prepare_scan(mesh, unit=unit, settings=settings)
        start, _ = find_face(scan, model, {}, replace(settings, verdict=EVERYTHING))
    except FacecomError as error:
        return {"refused": str(error), "passed": False}
    verdict = settings.verdict
    passed = start.score >= verdict.least_score and start.rms_mm <= verdict.most_rms_mm
    passed = passed and start.prior <= verdict.most_prior
    found = {"score": start.score, "rms_mm": start.rms_mm, "prior": start.prior, "passed": bool(passed)}
    return found | {"seconds": time.perf_counter() - began}


def finished(mesh: Mesh, model: LinearGenerator, *, unit: Any) -> bool:
    """Whether the whole completion goes through."""
    try:
        complete(mesh, unit=unit, model=model)
    except FacecomError:
        return False
    return True


def table(rows: list[dict[str, Any]]) -> Iterator[str]:
    """Lines of the table, a kind each."""
    yield "| what | face | number | pass the search | completed | score | rms mm | prior |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    groups = [(name, [r for r in rows if r["kind"] == name]) for name in dict.fromkeys(r["kind"] for r in rows)]
    groups += [(f"**all, {word}**", [r for r in rows if r["face"] == word]) for word in ("no", "yes")]
    for name, own in groups:
        if not own:
            continue
        sound = [r for r in own if "score" in r]
        middle = [f"{np.median([r[k] for r in sound]):.2f}" if sound else "" for k in ("score", "rms_mm", "prior")]
        counts = [sum(r[k] for r in own) for k in ("passed", "completed")]
        yield f"| {name} | {own[0]['face']} | {len(own)} | {counts[0]} | {counts[1]} | {' | '.join(middle)} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="how many things")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faces", type=Path, help="folder of folders with a scan.ply each")
    parser.add_argument("--figures", type=Path, help="file for one line of JSON for each mesh")
    options = parser.parse_args()
    model, rows = LinearGenerator.load(), []
    sources = [("no", "mm", things(options.number, options.seed)), ("yes", "mm", drawn_faces(model, options.seed))]
    sources += [("yes", "auto", kept_faces(options.faces))] if options.faces else []
    for face, unit, source in sources:
        for kind, mesh in source:
            row = {"kind": kind, "face": face} | figures(mesh, model, unit=unit)
            row["completed"] = row["passed"] and finished(mesh, model, unit=unit)
            rows.append(row)
            if options.figures:
                with options.figures.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
    print("\n".join(table(rows)))


if __name__ == "__main__":
    main()
