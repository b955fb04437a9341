"""Draw scans of wounds, a row each: scan and mark, what is found alone, the completed face, the part worn, a section.

python -m benchmarks.wound_pictures CASES RESULTS PARTS NAME [NAME ...] --out PICTURE.png

CASES/NAME/scan.ply and mark.ply are the scans and RESULTS/NAME/auto and RESULTS/NAME/marked the folders of
`facecom complete`, as `woundbench.py` lays them; PARTS/NAME/part is a folder of `benchmarks.wound_parts`. All of a row
but the section is seen from one direction: the path of the part, turned a little to its side.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw
from scipy.spatial import cKDTree

from benchmarks.wound_parts import inspections
from facecom.drawing.shading import Frame, MeshRenderer, ViewDirection
from facecom.geometry.mesh import Bools, Floats, Mesh, joined
from facecom.io.files import read_scan, read_scan_file
from facecom.prosthesis.output.pictures import draw_section
from facecom.prosthesis.shell.axis import axis_frame

SKIN, MARKED, FOUND = (0.72, 0.72, 0.72), (0.9, 0.6, 0.2), (0.85, 0.3, 0.2)
MADE_UP, PART = (0.35, 0.5, 0.85), (0.35, 0.6, 0.55)
LINES = ((130, 130, 130), (200, 60, 40), (30, 110, 100))
"""Colours of a section: the scan, what was marked of it, the part."""
COLUMNS = ("scan, marked", "found alone", "completed", "part worn", "section")
MARKED_MM = 1.5
"""What is as near to a painted point as this is shown as marked."""
ASIDE, MOST_YAW = 0.45, 1.3
"""By how much the view is turned to the side from the path of the part, and the farthest that it is turned, radians."""
HALF_MM, SECTION_MARGIN = 62.0, 0.62
"""Half the side of the pictures, and of that of a section in sizes of the part."""
SAME_PLACE = 1e-4
"""A vertex of the scan this near to one of the defect is that vertex."""
COLORS = 192
"""Of the palette of a picture."""


@dataclass(frozen=True, eq=False)
class Worn:
    """A case with its part in the face frame of the part, mm.

    scan : Mesh; part : Mesh, all parts of the case; marked : (V,) bool, vertices of the scan; axis : (3,) of withdrawal
    """

    scan: Mesh
    part: Mesh
    marked: Bools
    axis: Floats

    @classmethod
    def read(cls, case: Path, folder: Path) -> Worn:
        """Those of a folder of the case and a folder of its parts."""
        folders = [file.parent for file in inspections(folder)]
        told = json.loads((folders[0] / "prosthesis.json").read_text())
        pose, unit = np.array(told["pose"]), told["mm_per_unit"]
        scan = read_scan(case / "scan.ply")
        marked = cKDTree(read_scan(case / "mark.ply").vertices).query(scan.vertices)[0] < MARKED_MM / unit
        shells = [read_scan(f / "shell.ply") for f in folders]
        part = shells[0]
        for other in shells[1:]:
            part = joined(part, other)
        part = _moved(Mesh(part.vertices / unit, part.faces), pose)
        axis = pose[:3, :3] @ np.array(told["axis"])
        return cls(_moved(scan, pose), part, np.asarray(marked), axis / np.linalg.norm(axis))


def _moved(mesh: Mesh, pose: Floats) -> Mesh:
    return Mesh(mesh.vertices @ pose[:3, :3].T + pose[:3, 3], mesh.faces)


def row(case: Path, results: Path, folder: Path, *, size: int) -> Any:
    """Five pictures of one case, side by side."""
    worn = Worn.read(case, folder)
    middle = 0.5 * (worn.part.vertices.min(0) + worn.part.vertices.max(0))
    frame = Frame(center=middle, half_mm=HALF_MM, size=size)
    side = 1.0 if middle[0] >= 0 else -1.0
    yaw = float(np.clip(np.arctan2(worn.axis[0], worn.axis[2]) + side * ASIDE, -MOST_YAW, MOST_YAW))
    view = ViewDirection("along the part", yaw)
    pictures = [
        _shaded(worn.scan, _colors(worn.marked, MARKED), view, frame),
        _shaded(worn.scan, _colors(_found(case, results / "auto"), FOUND), view, frame),
        _completed(results / "marked", view, frame),
        _shaded(
            joined(worn.scan, worn.part),
            np.repeat([SKIN, PART], [len(worn.scan.vertices), len(worn.part.vertices)], axis=0),
            view,
            frame,
        ),
        _section(worn, middle, size),
    ]
    return np.concatenate(pictures, axis=1)


def _shaded(mesh: Mesh, colors: Floats, view: ViewDirection, frame: Frame) -> Any:
    return MeshRenderer(mesh, pixel_mm=frame.pixel_mm).shade(colors, view, frame)


def _colors(chosen: Bools, color: tuple[float, float, float]) -> Floats:
    return np.where(chosen[:, None], color, SKIN)


def _found(case: Path, folder: Path) -> Bools:
    """Vertices of the scan that were left out of it where nothing was told."""
    scan = read_scan(case / "scan.ply")
    if not (folder / "defect.ply").exists():
        return np.zeros(len(scan.vertices), bool)
    return np.asarray(cKDTree(read_scan(folder / "defect.ply").vertices).query(scan.vertices)[0] < SAME_PLACE)


def _completed(folder: Path, view: ViewDirection, frame: Frame) -> Any:
    """The merged mesh of a completion, what was made up in colour."""
    pose = np.array(json.loads((folder / "report.json").read_text())["pose"])
    merged = read_scan_file(folder / "merged.ply")
    made_up = np.asarray(merged.attributes["provenance"]) > 0
    return _shaded(_moved(merged.mesh, pose), _colors(made_up, MADE_UP), view, frame)


def _section(worn: Worn, middle: Floats, size: int) -> Any:
    """Scan, mark and part cut through the middle of the part, along its path."""
    axes = axis_frame(worn.axis)
    upright = np.stack([axes[2], axes[1], -axes[0]])
    bed = worn.scan.submesh(worn.marked[worn.scan.faces].all(1))[0]
    layers = [(worn.scan, LINES[0]), (bed, LINES[1]), (worn.part, LINES[2])]
    half = SECTION_MARGIN * float(np.ptp(worn.part.vertices @ upright[:2].T, axis=0).max())
    return draw_section(layers, middle, upright, half=half, size=size)


def main() -> None:
    """Draw the cases one below the other."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name in ("cases", "results", "parts"):
        p.add_argument(name, type=Path, metavar=name.upper())
    p.add_argument("names", nargs="+", metavar="NAME")
    p.add_argument("--size", type=int, default=230, help="pixels a side of one picture")
    p.add_argument("--out", type=Path, required=True)
    o = p.parse_args()
    rows = [row(o.cases / name, o.results / name, o.parts / name, size=o.size) for name in o.names]
    sheet = Image.fromarray(np.concatenate(rows))
    pen = ImageDraw.Draw(sheet)
    for k, name in enumerate(o.names):
        pen.text((5, k * o.size + 4), name, fill="black")
    for k, column in enumerate(COLUMNS):
        pen.text((k * o.size + 5, o.size - 14), column, fill="black")
    sheet.quantize(COLORS).save(o.out, optimize=True)


if __name__ == "__main__":
    main()
