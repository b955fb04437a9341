"""Draw scans of wounds: the scan with what was left out of it, and the result with what was made up, from two sides.

python -m benchmarks.wound_pictures CASES RESULTS CASE:MODE [CASE:MODE ...] --out PICTURE.png

CASES/NAME/scan.ply are the scans, RESULTS/NAME/MODE/ the folders of `facecom complete`, as `woundbench.py` lays them.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from facecom.drawing.shading import Frame, MeshRenderer, ViewDirection
from facecom.geometry.mesh import Floats, Mesh
from facecom.io.files import read_scan, read_scan_file

SKIN, DEFECT, MADE_UP = (0.72, 0.72, 0.72), (0.85, 0.3, 0.2), (0.35, 0.5, 0.85)
FRAME = Frame(center=np.array([0.0, -5.0, -30.0]), half_mm=95.0, size=260)
VIEWS = (ViewDirection("front"), ViewDirection("subject's left", 0.9))
SAME_PLACE = 1e-4
"""A vertex of the scan this near to one of the defect is that vertex."""


def row(scans: Path, results: Path, name: str, mode: str) -> Image.Image:
    """Four pictures of one case."""
    folder = results / name / mode
    pose = np.array(json.loads((folder / "report.json").read_text())["pose"])

    def to_face(mesh: Mesh) -> Mesh:
        return Mesh(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], mesh.faces)

    scan, merged = read_scan(scans / name / "scan.ply"), read_scan_file(folder / "merged.ply")
    bed = read_scan(folder / "defect.ply").vertices if (folder / "defect.ply").exists() else np.zeros((0, 3))
    left_out = cKDTree(bed).query(scan.vertices)[0] < SAME_PLACE if len(bed) else np.zeros(len(scan.vertices), bool)
    made_up = np.asarray(merged.attributes["provenance"]) > 0
    pairs = [(to_face(scan), _colors(left_out, DEFECT)), (to_face(merged.mesh), _colors(made_up, MADE_UP))]
    renderers = [(MeshRenderer(mesh, pixel_mm=FRAME.pixel_mm), colors) for mesh, colors in pairs]
    views = [drawer.shade(colors, view, FRAME) for view in VIEWS for drawer, colors in renderers]
    picture = Image.fromarray(np.concatenate(views, axis=1))
    ImageDraw.Draw(picture).text((5, 5), f"{name}, {mode}", fill="black")
    return picture


def _colors(chosen: np.ndarray, color: tuple[float, float, float]) -> Floats:
    return np.where(chosen[:, None], color, SKIN)


def main() -> None:
    """Draw the cases one below the other."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scans", type=Path)
    p.add_argument("results", type=Path)
    p.add_argument("cases", nargs="+", metavar="CASE:MODE")
    p.add_argument("--out", type=Path, required=True)
    arguments = p.parse_args()
    rows = [np.asarray(row(arguments.scans, arguments.results, *case.split(":"))) for case in arguments.cases]
    Image.fromarray(np.concatenate(rows)).quantize(128).save(arguments.out, optimize=True)


if __name__ == "__main__":
    main()
