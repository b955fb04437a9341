"""Figures of the dev suite for the docs: error by defect, calibration, and where on a face the error lies.

    python benchmarks/bench_pictures.py BENCH --out FOLDER [--beside linear.json] [--maps james_nose ...]

BENCH is a folder that `benchmarks.headline` cut, ran and scored (BENCH/score.json). With --beside, another method's
scores of the
same cases stand next to ours. Writes bench_errors.png, bench_calibration.png, and bench_map_CASE.png for each map.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from calibration import errors_and_sigma
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan
from facecom.report.figures import bar_plot, calibration_plot, error_map, write_figure
from facecom.scan.units import MM_PER_UNIT

REACH_MM = 3.0
"""A vertex of the face this near to a true point, on the face, shows its error."""


def by_defect(scores: Path) -> dict[str, float]:
    """Mean error of the missing part, mm, by defect and over all, from a JSON file of scored cases."""
    groups: dict[str, list[float]] = {}
    for row in json.loads(scores.read_text(encoding="utf-8")):
        for name in (row["defect"], "all"):
            groups.setdefault(name, []).append(row["missing"])
    over_all = groups.pop("all")
    return {name: float(np.mean(values)) for name, values in groups.items()} | {"all": float(np.mean(over_all))}


def calibration(bench: Path) -> bytes:
    """Share of the missing truth within so many sigma, all cases together, each with as much weight."""
    rng, errors, sigmas = np.random.default_rng(0), [], []
    for case in sorted((bench / "cases").iterdir()):
        error, sigma, _ = errors_and_sigma(case, bench / "results" / case.name)
        pick = rng.integers(len(error), size=1000)
        errors.append(error[pick])
        sigmas.append(sigma[pick])
    return calibration_plot(np.concatenate(errors), np.concatenate(sigmas), title="Sigma of the missing part")


def face_and_errors(case: Path, result: Path) -> tuple[Mesh, NDArray, NDArray, float]:
    """The completed face in the face frame, mm, the missing truth's error on it, where it is known, and its mean."""
    meta = json.loads((case / "meta.json").read_text(encoding="utf-8"))
    pose = np.array(json.loads((result / "report.json").read_text(encoding="utf-8"))["pose"])
    scale = MM_PER_UNIT[meta["unit"]]
    with np.load(case / "truth.npz") as truth:
        missing = scale * truth["missing"] @ pose[:3, :3].T + pose[:3, 3]
    stored = read_scan(result / "face.ply")
    face = Mesh(scale * stored.vertices @ pose[:3, :3].T + pose[:3, 3], stored.faces)
    found = Surface(face).closest(missing)
    away, nearest = cKDTree(found.points).query(face.vertices, k=4)
    weight = 1.0 / (away + 0.1)
    spread = (found.distance[nearest] * weight).sum(1) / weight.sum(1)
    return face, spread, away[:, 0] < REACH_MM, float(found.distance.mean())


def main() -> None:
    """Write the figures."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the pictures")
    parser.add_argument("--beside", type=Path, help="scores of a linear fit that is told the pose, as JSON")
    parser.add_argument("--maps", nargs="*", default=[], help="cases whose error is drawn on the face")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    series: dict[str, Mapping[str, float]] = {"facecom": by_defect(options.bench / "score.json")}
    if options.beside:
        series["linear ICT fit, pose told"] = by_defect(options.beside)
    errors = bar_plot(series, ylabel="missing part, mean error, mm", title="Dev suite, by defect")
    write_figure(options.out / "bench_errors.png", errors)
    write_figure(options.out / "bench_calibration.png", calibration(options.bench))
    for name in options.maps:
        face, values, known, mean = face_and_errors(options.bench / "cases" / name, options.bench / "results" / name)
        title = f"{name}: error of what was missing, mean {mean:.2f} mm"
        drawn = error_map(face, values, title=title, shown=known, high_mm=2.0, size=240)
        write_figure(options.out / f"bench_map_{name}.png", drawn)
    print(*(f"{name}: {values}" for name, values in series.items()), sep="\n")


if __name__ == "__main__":
    main()
