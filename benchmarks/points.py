"""Dev cases as points, coarser and coarser: prints how far the missing part is off, a line a case and spacing.

    python benchmarks/points.py BENCH [--cases NAME ...] [--spacings 2.5 5.5] [--log FILE]

BENCH is a folder that `benchmarks.headline` cut. The surface of a scan becomes points with 0.1 mm of noise, in three
ways: evenly,
no two nearer than four fifths of the spacing; by chance, as many as an even grid of that spacing has; and its own
vertices. Each is completed with nothing told but mm. With --log each run is a line of JSON in that file, and what the
file holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from facecom.completion import complete
from facecom.errors import FacecomError
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, face_areas
from facecom.geometry.sampling import sample_surface
from facecom.io.files import read_scan
from facecom.scan.cleaning import clean_scan
from facecom.scan.surface_reconstruction import point_spacing
from facecom.scan.units import MM_PER_UNIT

Row = dict[str, Any]
CASES = ("james_nose", "lps_nose_m", "simpop04_nose_orbit")


def even_points(mesh: Mesh, spacing_mm: float, seed: int) -> NDArray:
    """Points of a surface no two of which are nearer than four fifths of the spacing, chosen in random order."""
    count = min(int(face_areas(mesh).sum() / (0.2 * spacing_mm**2)), 300_000)
    points = sample_surface(mesh, count, seed=seed).points
    tree, free, chosen = cKDTree(points), np.ones(count, bool), []
    for k in range(count):
        if free[k]:
            chosen.append(k)
            free[tree.query_ball_point(points[k], 0.8 * spacing_mm)] = False
    return points[chosen]


def chance_points(mesh: Mesh, spacing_mm: float, seed: int) -> NDArray:
    """Points spread over a surface by chance, as many as a grid of triangles with such edges has."""
    count = int(face_areas(mesh).sum() / (0.87 * spacing_mm**2))
    return sample_surface(mesh, count, seed=seed).points


def own_points(mesh: Mesh, spacing_mm: float, seed: int) -> NDArray:
    """The vertices of a mesh, whatever their spacing."""
    return mesh.vertices


def case_of(folder: Path) -> tuple[Mesh, NDArray]:
    """A scan of the suite and points of what is missing of it, mm."""
    mm = MM_PER_UNIT[json.loads((folder / "meta.json").read_text())["unit"]]
    mesh = clean_scan(read_scan(folder / "scan.ply")).mesh
    with np.load(folder / "truth.npz") as truth:
        missing = truth["missing"] * mm
    some = np.random.default_rng(0).permutation(len(missing))[:8000]
    return Mesh(mesh.vertices * mm, mesh.faces), missing[some]


def measured(points: NDArray, missing: NDArray) -> Row:
    """Complete points and hold the result against what is missing."""
    noisy = points + np.random.default_rng(4).normal(0, 0.1, points.shape)
    row: Row = {"points": len(points), "spacing": point_spacing(points), "missing": None, "refused": ""}
    try:
        face = complete(Mesh(noisy, []), unit="mm").face
    except FacecomError as error:
        return row | {"refused": str(error)}
    return row | {"missing": float(Surface(face).closest(missing).distance.mean())}


def rows(options: argparse.Namespace) -> Iterator[Row]:
    """A row a case and cloud, from the log where it is there."""
    lines = options.log.read_text(encoding="utf-8").splitlines() if options.log and options.log.exists() else []
    known = {(r["case"], r["way"], r["asked"]): r for r in map(json.loads, lines)}
    ways: list[tuple[str, Callable[[Mesh, float, int], NDArray], float]] = [
        (name, make, s)
        for name, make in (("even", even_points), ("by chance", chance_points))
        for s in options.spacings
    ]
    for case in options.cases:
        mesh, missing = case_of(options.folder / "cases" / case)
        for way, make, spacing in [*ways, ("own vertices", own_points, 0.0)]:
            key = (case, way, spacing)
            if key not in known:
                known[key] = dict(zip(("case", "way", "asked"), key, strict=True))
                known[key] |= measured(make(mesh, spacing, options.seed), missing)
                if options.log:
                    with options.log.open("a", encoding="utf-8") as file:
                        file.write(json.dumps(known[key]) + "\n")
            yield known[key]


def table(found: list[Row]) -> Iterator[str]:
    """Lines of the table."""
    yield "| case | points | how | sixth neighbour, mm | missing mm |\n| --- | ---: | --- | ---: | ---: |"
    for row in found:
        asked = f", {row['asked']:g} mm" if row["asked"] else ""
        missing = "refused" if row["missing"] is None else f"{row['missing']:.2f}"
        yield f"| {row['case']} | {row['points']:,} | {row['way']}{asked} | {row['spacing']:.1f} | {missing} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--cases", nargs="+", default=list(CASES), help="names of cases")
    parser.add_argument("--spacings", type=float, nargs="+", default=[2.5, 5.5], help="mm")
    parser.add_argument("--seed", type=int, default=811504, help="of where the points lie")
    parser.add_argument("--log", type=Path, help="file for one line of JSON for each run")
    print("\n".join(table(list(rows(parser.parse_args())))))


if __name__ == "__main__":
    main()
