"""Do the bands of sigma hold the truth? Reads a folder that `benchmarks.headline` cut, ran and scored.

    python benchmarks/calibration.py FOLDER

Prints, for each defect and head and over all, the share of missing surface whose true place lies within the 50 % and
the 90 % band of the completed face, and the root mean square of error and sigma.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from facecom.geometry.closest_points import Surface
from facecom.io.files import read_scan_file
from facecom.scan.units import MM_PER_UNIT

BANDS = (0.5, 0.9)


def errors_and_sigma(case: Path, result: Path) -> tuple[NDArray, NDArray, dict[str, str]]:
    """Distance of the missing truth to face.ply and sigma there, both in mm, and the case's description."""
    meta = json.loads((case / "meta.json").read_text())
    with np.load(case / "truth.npz") as truth:
        missing = truth["missing"]
    face = read_scan_file(result / "face.ply")
    found = Surface(face.mesh).closest(missing)
    sigma = np.asarray(face.attributes["sigma_mm"], float)
    there = np.einsum("nk,nk->n", found.barycentric, sigma[face.mesh.faces[found.faces]])
    return found.distance * MM_PER_UNIT[meta["unit"]], there, meta


def row(name: str, pieces: list[tuple[NDArray, NDArray]]) -> str:
    """One line of the table; each case counts the same."""
    bands = [[np.mean(e < norm.ppf(0.5 + b / 2) * s) for e, s in pieces] for b in BANDS]
    rms = [np.sqrt(np.mean([np.mean(v**2) for v in values])) for values in zip(*pieces, strict=True)]
    shares = " ".join(f"{np.mean(b):6.1%}" for b in bands)
    return f"{name:14s} n {len(pieces):2d}  within 50 % / 90 %: {shares}  rms error {rms[0]:.2f} sigma {rms[1]:.2f} mm"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    groups: dict[str, list[tuple[NDArray, NDArray]]] = {}
    for case in sorted((folder / "cases").iterdir()):
        result = folder / "results" / case.name
        if not (result / "face.ply").exists():
            continue
        errors, sigma, meta = errors_and_sigma(case, result)
        for name in (meta["defect"], meta["head"], "all"):
            groups.setdefault(name, []).append((errors, sigma))
    last = groups.pop("all", [])
    for name, pieces in sorted(groups.items()):
        print(row(name, pieces))
    if last:
        print(row("all", last))


if __name__ == "__main__":
    main()
