"""Large poses, bad scans and small pieces of heads: prints a table of kinds and a table of crops.

    python benchmarks/poses.py [--heads FILE[=MM] ...] [--drawn 2] [--repeat 1] [--log FILE] [--only NAME]

Heads are whole scans, near upright, with the mm of their unit (1 unless given); without any they are faces drawn from
the model. Each head is completed as it is: that gives the face frame, and the pose that all others are held against.
Then it is made worse (scan_degradations.py), turned by up to 180 degrees, and completed with nothing told but the unit
of crops.
`missing` and `seen` are distances of the true removed and kept face to the completed one. A case has failed when it is
refused, or when its pose is more than 15 degrees off or the seen surface more than 3 mm. With --log each case is a line
of JSON in that file, and what the file holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scan_degradations import VARIANTS, Variant, random_turn

from facecom.completion import complete
from facecom.errors import FacecomError
from facecom.evaluation.measures import surface_distance
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.geometry.sampling import sample_surface
from facecom.geometry.transform import Similarity
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.scan.cleaning import clean_scan
from facecom.scan.units import MM_PER_UNIT

FAR_DEGREES, FAR_MM = 15.0, 3.0
"""A pose or a seen surface that is this far off was found wrong."""
Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Head:
    """A whole head in the face frame of its own fit, mm, and points of its visible face."""

    name: str
    mesh: Mesh
    truth: NDArray


def read_head(name: str, raw: Mesh, mm_per_unit: float) -> Head:
    """The head turned as the fit of all of it says."""
    mesh = clean_scan(raw).mesh
    mesh = Mesh((mesh.vertices - mesh.vertices.mean(0)) * mm_per_unit, mesh.faces)
    done = complete(mesh, unit="mm")
    upright = Mesh(done.pose.apply(mesh.vertices), mesh.faces)
    return Head(name, upright, true_points(upright))


def true_points(head: Mesh, *, count: int = 30_000) -> NDArray:
    """Points of the face that some camera in front sees: skin, not the inside of mouth and nose."""
    points = sample_surface(head, count, seed=0).points
    points = points[(points[:, 2] > -70) & (np.hypot(points[:, 0], points[:, 1] - 10) < 80)]
    seen, surface = np.zeros(len(points), bool), Surface(head)
    for yaw in np.radians([-75, -40, 0, 40, 75]):
        for pitch in np.radians([-45, -10, 20]):
            towards = np.array([np.sin(yaw) * np.cos(pitch), np.sin(pitch), np.cos(yaw) * np.cos(pitch)])
            seen |= ~np.isfinite(surface.cast(points + 0.05 * towards, towards).depth)
    return points[seen]


def heads(options: argparse.Namespace) -> Iterator[Head]:
    """The heads named, or drawn ones."""
    for text in options.heads:
        file, _, mm = text.partition("=")
        yield read_head(Path(file).stem, read_scan(file), float(mm or 1))
    model = LinearGenerator.load()
    for k in range(0 if options.heads else options.drawn):
        yield read_head(f"drawn_{k}", model.sample(k + 300, level=2, discrepancy=True), 1.0)


def _ball(x: float, y: float, z: float, radius: float) -> Callable[[NDArray], NDArray]:
    return lambda p: np.linalg.norm(p - [x, y, z], axis=1) < radius


def _box(x: tuple[float, float], y: tuple[float, float]) -> Callable[[NDArray], NDArray]:
    return lambda p: (x[0] < p[:, 0]) & (p[:, 0] < x[1]) & (y[0] < p[:, 1]) & (p[:, 1] < y[1]) & (p[:, 2] > -90)


CROPS: dict[str, Callable[[NDArray], NDArray]] = {
    "chin": _box((-40, 40), (-115, -50)),
    "chin and mouth": _box((-45, 45), (-115, -18)),
    "lower half": _box((-90, 90), (-115, 0)),
    "mouth": _ball(0, -33, -14, 32),
    "nose": _ball(0, 8, -8, 32),
    "nose and mouth": _box((-32, 32), (-55, 45)),
    "one eye": _ball(33, 38, -26, 28),
    "both eyes": _box((-65, 65), (20, 58)),
    "eyes and nose": _box((-65, 65), (-16, 58)),
    "forehead": _box((-60, 60), (55, 130)),
    "upper half": _box((-90, 90), (5, 140)),
    "cheek": _ball(45, -15, -40, 35),
    "left half": _box((2, 110), (-115, 140)),
    "left lower quarter": _box((2, 110), (-115, 8)),
    "left upper quarter": _box((2, 110), (8, 140)),
    **{f"strip of {2 * w} mm": _box((-w, w), (-115, 140)) for w in (10, 15, 20, 30)},
    **{f"ball of {r} mm": _ball(0, 5, -20, r) for r in (30, 40, 50, 60, 75)},
}
"""What alone is left of the face, in the face frame."""


def crop(head: Mesh, name: str) -> Variant:
    """A piece of the head, as it is but for 0.1 mm of noise; its unit is told, as it is too small to guess it."""
    kept = head.submesh(CROPS[name](head.vertices)[head.faces].all(axis=1))[0]
    noise = np.random.default_rng(0).normal(0, 0.1, kept.vertices.shape)
    return Variant(kept.with_vertices(kept.vertices + noise), kept, told=True)


def placed(variant: Variant, rng: np.random.Generator) -> tuple[Mesh, Similarity]:
    """The scan as a user would have it, and the motion from face frame, mm, to there."""
    motion = Similarity(random_turn(rng, variant.most_turn), rng.uniform(-150, 150, 3))
    motion = Similarity(scale=1.0 / MM_PER_UNIT[variant.unit]) @ motion
    normals = None if variant.scan.normals is None else motion.rotate(variant.scan.normals)
    return Mesh(motion.apply(variant.scan.vertices), variant.scan.faces, normals=normals), motion


def degrees(rotation: NDArray) -> float:
    """The angle of a rotation matrix."""
    return float(np.degrees(np.arccos(np.clip((np.trace(rotation) - 1) / 2, -1, 1))))


def scored(head: Head, variant: Variant, rng: np.random.Generator) -> Row:
    """Complete a scan and hold the result against the head."""
    scan, motion = placed(variant, rng)
    gone = surface_distance(head.truth, variant.kept) > 0.3
    row: Row = {"seen_share": float(1 - gone.mean())}
    began = time.perf_counter()
    try:
        done = complete(scan, unit=variant.unit if variant.told else "auto")
    except (FacecomError, ValueError) as error:
        return row | {"refused": f"{type(error).__name__}: {error}"}
    found = done.pose @ motion
    gap = surface_distance(head.truth, Mesh(motion.inverse().apply(done.face.vertices), done.face.faces))
    row |= {"degrees": degrees(found.rotation), "mm_off": float(np.linalg.norm(found.apply(np.zeros((1, 3)))))}
    row |= {"missing": float(gap[gone].mean()) if gone.any() else None}
    row |= {"seen": float(gap[~gone].mean()) if not gone.all() else None}
    report = done.report
    row |= {"unit": report.unit, "score": report.score, "coverage": report.coverage, "rms": report.fit_rms_mm}
    return row | {"stages": dict(report.seconds), "seconds": round(time.perf_counter() - began, 2)}


def failed(row: Row) -> bool:
    """Whether a case was refused or found wrong."""
    return "refused" in row or row["degrees"] > FAR_DEGREES or (row["seen"] or 0.0) > FAR_MM


def cases(options: argparse.Namespace) -> list[tuple[str, str, int, Callable[[Mesh, Any], Variant]]]:
    """Kind of case, name and number of each, and what makes it of a head."""
    made = [("pose", kind.__name__, k, kind) for kind in VARIANTS for k in range(options.repeat)]
    made += [("crop", name, 0, lambda head, _, name=name: crop(head, name)) for name in CROPS]
    return [case for case in made if not options.only or options.only in f"{case[0]} {case[1]}"]


def run(options: argparse.Namespace) -> Iterator[Row]:
    """A row a case, from the log where it is there."""
    lines = options.log.read_text(encoding="utf-8").splitlines() if options.log and options.log.exists() else []
    known = {(r["head"], r["group"], r["kind"], r["number"]): r for r in map(json.loads, lines)}
    for head in heads(options):
        for group, kind, number, make in cases(options):
            key = (head.name, group, kind, number)
            if key not in known:
                rng = np.random.default_rng(zlib.crc32(repr(key).encode()))
                known[key] = dict(zip(("head", "group", "kind", "number"), key, strict=True))
                known[key] |= scored(head, make(head.mesh, rng), rng)
                if options.log:
                    with options.log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(known[key]) + "\n")
            yield known[key]


def _mean(rows: list[Row], key: str, form: str = ".2f") -> str:
    values = [r[key] for r in rows if r.get(key) is not None]
    return f"{np.mean(values):{form}}" if values else ""


def table(rows: list[Row]) -> Iterator[str]:
    """Lines of the two tables; the figures are those of the cases that did not fail."""
    for group in ("pose", "crop"):
        own = [r for r in rows if r["group"] == group]
        if not own:
            continue
        first = {"pose": "kind", "crop": "what is left"}[group]
        yield f"| {first} | cases | refused | found wrong | seen | missing mm | seen mm | pose off, degrees | at most |"
        yield "| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |"
        for kind in [*dict.fromkeys(r["kind"] for r in own), "**all**"]:
            some = [r for r in own if kind in (r["kind"], "**all**")]
            sound = [r for r in some if not failed(r)]
            refused = sum("refused" in r for r in some)
            worst = f"{max(r['degrees'] for r in sound):.1f}" if sound else ""
            yield (
                f"| {kind} | {len(some)} | {refused} | {len(some) - refused - len(sound)} | "
                f"{_mean(some, 'seen_share', '.0%')} | {_mean(sound, 'missing')} | {_mean(sound, 'seen', '.3f')} | "
                f"{_mean(sound, 'degrees')} | {worst} |"
            )
        yield ""


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--heads", nargs="*", default=[], help="files of whole heads, each with =MM of its unit")
    parser.add_argument("--drawn", type=int, default=2, help="how many drawn faces, where no file is named")
    parser.add_argument("--repeat", type=int, default=1, help="how many of each kind for each head")
    parser.add_argument("--log", type=Path, help="file for one line of JSON for each case")
    parser.add_argument("--only", help="part of the name of the cases to run, such as 'crop chin'")
    print("\n".join(table(list(run(parser.parse_args())))))


if __name__ == "__main__":
    main()
