"""How often a thing that is no face passes for one, and how often a face is refused: prints two tables.

    python benchmarks/refusal.py [--number 200] [--seed 0] [--large 40] [--faces PATH ...] [--told-nothing] [--log FILE]

The things come from things.py. The faces are drawn from the model and cut by every defect of
`facecom.evaluation.defects`, --large more by those that leave the least, and, with --faces, are the scans named: files,
or folders of folders with a scan.ply each.
Two faces in one scan are shown too, but count as neither. With --log each mesh is a line of JSON in that file, and what
the file holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from non_faces import thing

from facecom.completion import (
    COMPLETION,
    AcceptanceThresholds,
    CompletionSettings,
    CompletionState,
    Coverage,
    complete,
    known,
)
from facecom.completion.coverage import check_acceptance
from facecom.completion.stages import mean_squared_code
from facecom.errors import FacecomError
from facecom.evaluation.defects import DEFECTS
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator

EVERYTHING = AcceptanceThresholds(least_score=-9.0, most_rms_mm=1e9, most_prior=1e9, most_fitted_prior=1e9)
"""Refuses nothing, so that the figures of what would be refused are seen too."""
FIGURES = {"score": min, "rms_mm": max, "prior": max, "fit_prior": max, "coverage": min, "shrinkage": max}
"""The figures of the verdict, and which end of each comes closest to its bound for a face."""
LARGE = ("half", "one_sided", "lower_third", "eye_band", "central_slab", "diagonal_band", "strips")
"""The defects that leave the least of a face, `only_chin` apart."""
OF_THE_SEARCH = ("score", "rms_mm", "prior")
"""Those of them that are known before the fit."""
Row = dict[str, Any]
Case = tuple[str, str, str, Callable[[], tuple[str, Mesh]]]
"""Name, whether it is a face ("no", "yes", "two"), unit, and what makes its kind and mesh."""


def drawn_face(model: LinearGenerator, case: int, seed: int) -> tuple[str, Mesh]:
    """A face of the model, cut and turned by up to 180 degrees; key points alone are no surface and are left out."""
    known = [d for d in DEFECTS if d != "keypoints"]
    defect, number = known[case % len(known)], case + 1000 * seed
    settings = ScanSettings(clutter=3 * (case % 2), max_angle=np.pi)
    return defect, partial_scan(model.sample(number, level=2), defect, seed=number, settings=settings).scan


def large_defect(model: LinearGenerator, case: int, seed: int) -> tuple[str, Mesh]:
    """A face of the model with a large defect, turned by up to 180 degrees, every other time with junk about it."""
    defect, number = LARGE[case % len(LARGE)], 9000 + case + 1000 * seed
    face = model.sample(number, level=2, discrepancy=True)
    settings = ScanSettings(clutter=4 * (case % 2), max_angle=np.pi)
    return f"large {defect}", partial_scan(face, defect, seed=number, settings=settings).scan


def two_faces(model: LinearGenerator, case: int, seed: int) -> tuple[str, Mesh]:
    """Two faces of the model beside each other, 190 to 300 mm apart, the second turned by up to 60 degrees."""
    rng = np.random.default_rng([seed, case, 2])
    first, second = (model.sample(2 * case + k + 5000, level=2) for k in range(2))
    turn = rotation_from_vector([0.0, rng.uniform(-1, 1), rng.uniform(-0.3, 0.3)])
    beside = Similarity(turn, [rng.uniform(190, 300), rng.uniform(-60, 60), rng.uniform(-40, 40)])
    points = np.concatenate([first.vertices, beside.apply(second.vertices)])
    pose = Similarity(rotation_from_vector(rng.normal(size=3) * 2))
    noisy = pose.apply(points) + rng.normal(0, 0.1, points.shape)
    return "two_faces", Mesh(noisy, np.concatenate([first.faces, second.faces + len(first.vertices)]))


def kept_faces(path: Path) -> Iterator[Case]:
    """Scans that somebody knows to be faces."""
    files = sorted(path.glob("*/scan.ply")) if path.is_dir() else [path]
    for file in files:
        name = file.parent.name if path.is_dir() else file.stem
        group = "of the folder" if path.is_dir() else file.name
        yield f"kept {name}", "yes", "auto", lambda file=file, group=group: (group, read_scan(file))


def figures(mesh: Mesh, model: LinearGenerator, *, unit: Any) -> Row:
    """What the search for a face says of a scan, and where that lets it pass what the fit says."""
    settings = CompletionSettings()
    open_door, began = replace(settings, acceptance=EVERYTHING), time.perf_counter()
    try:
        state = CompletionState(raw=mesh, unit=unit, model=model, settings=open_door)
        state = COMPLETION.starting_at("clean").up_to("align").run(state)
        start = known(state.hypothesis, "align")
    except FacecomError as error:
        return {"refused": str(error)}
    found: Row = {"score": start.score, "rms_mm": start.rms_mm, "prior": start.prior}
    found["seconds"] = round(time.perf_counter() - began, 2)
    try:
        if judged(found)["passed"]:
            state = COMPLETION.starting_at("fit").without("guide").up_to("measure coverage").run(state)
            fitted = known(state.fit, "fit")
            found |= {
                "fit_rms_mm": fitted.terms["plane_rms_mm"],
                "fit_prior": mean_squared_code(fitted, model, settings),
            }
            found |= vars(known(state.coverage, "measure coverage"))
    except FacecomError as error:
        found["refused"] = str(error)
    return found


def outcome(mesh: Mesh, model: LinearGenerator) -> Row:
    """Whether `complete` completes a scan of which nothing is told, and else what it says."""
    began = time.perf_counter()
    try:
        done = complete(mesh, model=model)
        found: Row = {"taken": True, "mm_per_unit": done.report.mm_per_unit}
    except FacecomError as error:
        found = {"taken": False, "refused": str(error)}
    return found | {"seconds": round(time.perf_counter() - began, 2)}


def judged(row: Row) -> Row:
    """The same with whether the shipped verdict lets it pass the search, and whether it is completed in the end."""
    if "taken" in row:
        return row | {"passed": row["taken"], "completed": row["taken"]}
    bounds = bounds_of(CompletionSettings().acceptance)
    passed = "score" in row and not any(_beyond(row, key, bounds) for key in OF_THE_SEARCH)
    completed = passed and "coverage" in row and not _beyond(row, "fit_prior", bounds) and enough_seen(row)
    return row | {"passed": passed, "completed": completed}


def enough_seen(row: Row) -> bool:
    """Whether the shipped verdict takes what was seen."""
    try:
        check_acceptance(
            Coverage(row["coverage"], row.get("shrinkage", 1.0), row.get("scan_share")),
            AcceptanceThresholds(),
            fitted_prior=row.get("fit_prior", 0.0),
        )
    except FacecomError:
        return False
    return True


def is_whole(row: Row) -> bool:
    """Whether a logged row has all that the verdict asks for; an older one may lack what was not asked for then."""
    if "coverage" not in row or "shrinkage" in row:
        return True
    if row["coverage"] >= AcceptanceThresholds().plainly_observed:
        return True
    bounds = bounds_of(AcceptanceThresholds())
    return any(_beyond(row, key, bounds) for key in FIGURES)


def bounds_of(verdict: AcceptanceThresholds) -> dict[str, float]:
    """The bound of each figure."""
    values = (
        verdict.least_score, verdict.most_rms_mm, verdict.most_prior, verdict.most_fitted_prior, verdict.least_piece,
        verdict.most_shrinkage,
    )  # fmt: skip
    return dict(zip(FIGURES, values, strict=True))


def cases(model: LinearGenerator, options: argparse.Namespace) -> Iterator[Case]:
    """All meshes of a run."""
    for path in options.faces:
        yield from kept_faces(path)
    for k in range(options.number):
        yield f"thing {options.seed} {k}", "no", "mm", partial(thing, k, options.seed)
    for k in range(options.drawn):
        yield f"drawn {options.seed} {k}", "yes", "mm", partial(drawn_face, model, k, options.seed)
    for k in range(options.large):
        yield f"large {options.seed} {k}", "yes", "mm", partial(large_defect, model, k, options.seed)
    for k in range(options.pairs):
        yield f"two {options.seed} {k}", "two", "mm", partial(two_faces, model, k, options.seed)


def logged(path: Path | None) -> dict[str, Row]:
    """The rows that a run before this one wrote, by name."""
    if path is None or not path.exists():
        return {}
    rows = map(json.loads, path.read_text(encoding="utf-8").splitlines())
    return {row["name"]: row for row in rows if is_whole(row)}


def run(model: LinearGenerator, options: argparse.Namespace) -> list[Row]:
    """A row a mesh, from the log where it is there."""
    known, rows = logged(options.log), []
    for name, face, unit, make in cases(model, options):
        if name not in known:
            kind, mesh = make()
            found = outcome(mesh, model) if options.told_nothing else figures(mesh, model, unit=unit)
            known[name] = {"name": name, "kind": kind, "face": face} | found
            if options.log:
                with options.log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(known[name]) + "\n")
        rows.append(judged(known[name]))
    return rows


def table(rows: list[Row]) -> Iterator[str]:
    """Lines of the table, a kind each; the figures are medians."""
    yield "| what | face | number | pass the search | completed | score | rms mm | prior |"
    yield "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |"
    # there are ears among the things, and faces that lost one
    kinds = dict.fromkeys((r["kind"], r["face"]) for r in rows)
    groups = [(name, [r for r in rows if (r["kind"], r["face"]) == (name, face)]) for name, face in kinds]
    groups += [(f"**all, {word}**", [r for r in rows if r["face"] == word]) for word in ("no", "yes", "two")]
    for name, own in groups:
        if not own:
            continue
        sound = [r for r in own if "score" in r]
        middle = [f"{np.median([r[k] for r in sound]):.2f}" if sound else "" for k in OF_THE_SEARCH]
        counts = [sum(r[k] for r in own) for k in ("passed", "completed")]
        yield f"| {name} | {own[0]['face']} | {len(own)} | {counts[0]} | {counts[1]} | {' | '.join(middle)} |"


def margins(rows: list[Row]) -> Iterator[str]:
    """Lines of the table of bounds: how near the faces that pass come to each, and how many things it alone refuses."""
    bounds = bounds_of(CompletionSettings().acceptance)
    things = [r for r in rows if r["face"] == "no" and "score" in r]
    yield "| figure | bound | nearest face | its figure | next | its figure | things that only this bound refuses |"
    yield "| --- | ---: | --- | ---: | --- | ---: | ---: |"
    for key, nearest in FIGURES.items():
        faces = sorted((r for r in rows if r["completed"] and asked_of(r, key)), key=lambda r, key=key: r[key])
        if len(faces) < 2:
            continue
        ends = faces[:2] if nearest is min else faces[:-3:-1]
        alone = sum(
            _beyond(r, key, bounds) and not any(_beyond(r, k, bounds) for k in bounds if k != key) for r in things
        )
        named = " | ".join(f"{r['kind']}: {r['name']} | {r[key]:.2f}" for r in ends)
        yield f"| {key} | {bounds[key]:g} | {named} | {alone} |"


def asked_of(row: Row, key: str) -> bool:
    """Whether a row is that of a face which the bound on this figure could have refused."""
    seen_plainly = key == "shrinkage" and row.get("coverage", 0.0) >= AcceptanceThresholds().plainly_observed
    return row["face"] == "yes" and key in row and not seen_plainly


def _beyond(row: Row, key: str, bounds: dict[str, float]) -> bool:
    return key in row and (row[key] < bounds[key] if FIGURES[key] is min else row[key] > bounds[key])


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--number", type=int, default=200, help="how many things")
    parser.add_argument("--drawn", type=int, default=25, help="how many faces of the model, the defects in turn")
    parser.add_argument("--large", type=int, default=40, help="how many faces of the model with large defects")
    parser.add_argument("--pairs", type=int, default=6, help="how many scans of two faces")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--faces", type=Path, nargs="*", default=[], help="scans, or folders of folders with a scan.ply"
    )
    parser.add_argument("--told-nothing", action="store_true", help="by `complete` itself, the unit not told")
    parser.add_argument("--log", type=Path, help="file for one line of JSON for each mesh")
    rows = run(LinearGenerator.load(), parser.parse_args())
    print("\n".join(table(rows)), *margins(rows), sep="\n")


if __name__ == "__main__":
    main()
