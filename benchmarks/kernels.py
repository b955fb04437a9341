"""How far results differ between processors: scans completed under several BLAS kernels, a row a scan.

    python benchmarks/kernels.py SCAN [SCAN ...] [--kernels SkylakeX Haswell Zen Nehalem]

OpenBLAS picks its kernel by the processor; OPENBLAS_CORETYPE names another. Printed is the largest and the mean
distance in mm between a vertex of the completed face and the same vertex under the first kernel.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from facecom.io.files import read_scan

KERNELS = ("SkylakeX", "Haswell", "Zen", "Nehalem")


def completed(scan: Path, kernel: str, out: Path) -> np.ndarray:
    """Vertices (V, 3) of the face that the command line makes of a scan, mm."""
    code = "import sys, facecom; c = facecom.complete(sys.argv[1]); c.save(sys.argv[2]); print(c.report.mm_per_unit)"
    command = [sys.executable, "-c", code, str(scan), str(out)]
    environment = os.environ | {"OPENBLAS_CORETYPE": kernel}
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return float(done.stdout) * read_scan(out / "face.ply").vertices


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scans", type=Path, nargs="+")
    parser.add_argument("--kernels", nargs="+", default=KERNELS)
    options = parser.parse_args()
    print("| scan | " + " | ".join(f"{k}, largest / mean" for k in options.kernels[1:]) + " |")
    for scan in options.scans:
        with tempfile.TemporaryDirectory() as folder:
            first, *others = (completed(scan, kernel, Path(folder) / kernel) for kernel in options.kernels)
        away = [np.linalg.norm(other - first, axis=1) for other in others]
        cells = [f"{d.max():.4f} / {d.mean():.5f}" for d in away]
        print(f"| {scan.parent.name}/{scan.name} | " + " | ".join(cells) + " |", flush=True)


if __name__ == "__main__":
    main()
