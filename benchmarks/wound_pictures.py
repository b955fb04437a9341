"""Draw scans of wounds: the scan with what was left out of it, and the result with what was made up, from two sides.

python -m benchmarks.wound_pictures CASES RESULTS CASE:MODE [CASE:MODE ...] --out PICTURE.png

CASES/NAME/scan.ply are the scans, RESULTS/NAME/MODE/ the folders of `facecom complete`, as `woundbench.py` lays them.
Where such a folder is one of `facecom prosthesis` its part is drawn: the scan with its marks (CASES/NAME/mark.ply),
the part worn, from two sides, and a section through the middle of the part and its path of withdrawal.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from facecom.drawing.shading import Frame, MeshRenderer, ViewDirection
from facecom.geometry.mesh import Floats, Mesh, joined
from facecom.io.files import read_scan, read_scan_file
from facecom.prosthesis.output.pictures import draw_section
from facecom.prosthesis.shell.axis import axis_frame

SKIN, DEFECT, MADE_UP = (0.72, 0.72, 0.72), (0.85, 0.3, 0.2), (0.35, 0.5, 0.85)
PART, LINES = (0.35, 0.6, 0.55), ((130, 130, 130), (200, 60, 40), (30, 110, 100))
"""Colours of a worn part, and of a section: the scan, what was marked of it, the part."""
MARKED_MM = 1.5
"""What is as near to a painted point as this is shown as marked."""
SECTION_MARGIN = 0.62
"""Half the side of the picture of a section, in sizes of the part."""
FRAME = Frame(center=np.array([0.0, -5.0, -30.0]), half_mm=95.0, size=260)
VIEWS = (ViewDirection("front"), ViewDirection("subject's left", 0.9))
SAME_PLACE = 1e-4
"""A vertex of the scan this near to one of the defect is that vertex."""


def row(scans: Path, results: Path, name: str, mode: str) -> Image.Image:
    """Four pictures of one case."""
    folder = results / name / mode
    drawn = _part_pictures if (folder / "prosthesis.json").exists() else _completion_pictures
    picture = Image.fromarray(np.concatenate(drawn(scans / name, folder), axis=1))
    ImageDraw.Draw(picture).text((5, 5), f"{name}, {mode}", fill="black")
    return picture


def _part_pictures(case: Path, folder: Path) -> list[Any]:
    told = json.loads((folder / "prosthesis.json").read_text())
    pose, unit = np.array(told["pose"]), told["mm_per_unit"]

    def to_face(mesh: Mesh) -> Mesh:
        return Mesh(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], mesh.faces)

    scan, part = read_scan(case / "scan.ply"), read_scan(folder / "shell.ply")
    marked = cKDTree(read_scan(case / "mark.ply").vertices).query(scan.vertices)[0] < MARKED_MM / unit
    scan, part = to_face(scan), to_face(Mesh(part.vertices / unit, part.faces))
    worn = joined(scan, part)
    colors = np.repeat([SKIN, PART], [len(scan.vertices), len(part.vertices)], axis=0)
    pictures = [MeshRenderer(scan, pixel_mm=FRAME.pixel_mm).shade(_colors(marked, DEFECT), VIEWS[0], FRAME)]
    pictures += [MeshRenderer(worn, pixel_mm=FRAME.pixel_mm).shade(colors, view, FRAME) for view in VIEWS]
    axes = axis_frame(pose[:3, :3] @ np.array(told["axis"]))
    upright = np.stack([axes[2], axes[1], -axes[0]])
    bed = scan.submesh(marked[scan.faces].all(1))[0]
    layers = [(scan, LINES[0]), (bed, LINES[1]), (part, LINES[2])]
    middle = 0.5 * (part.vertices.min(0) + part.vertices.max(0))
    half = SECTION_MARGIN * float(np.ptp(part.vertices @ upright[:2].T, axis=0).max())
    return [*pictures, draw_section(layers, middle, upright, half=half, size=FRAME.size)]


def _completion_pictures(case: Path, folder: Path) -> list[Any]:
    pose = np.array(json.loads((folder / "report.json").read_text())["pose"])

    def to_face(mesh: Mesh) -> Mesh:
        return Mesh(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], mesh.faces)

    scan, merged = read_scan(case / "scan.ply"), read_scan_file(folder / "merged.ply")
    bed = read_scan(folder / "defect.ply").vertices if (folder / "defect.ply").exists() else np.zeros((0, 3))
    left_out = cKDTree(bed).query(scan.vertices)[0] < SAME_PLACE if len(bed) else np.zeros(len(scan.vertices), bool)
    made_up = np.asarray(merged.attributes["provenance"]) > 0
    pairs = [(to_face(scan), _colors(left_out, DEFECT)), (to_face(merged.mesh), _colors(made_up, MADE_UP))]
    renderers = [(MeshRenderer(mesh, pixel_mm=FRAME.pixel_mm), colors) for mesh, colors in pairs]
    return [drawer.shade(colors, view, FRAME) for view in VIEWS for drawer, colors in renderers]


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
