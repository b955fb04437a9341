"""Are parts sound on many heads? Designs a part for each scan of a benchmark and tables what could be wrong with it.

    python benchmarks/parts.py BENCH [--only nose orbit] [--margin 5]

BENCH is a folder of benchmarks.headline: BENCH/cases/NAME/scan.ply. A row a part: seconds of the design alone, edges
that
cross the surface, the thinnest place over vertices and over points between them, the least width of the margin, the
largest gap under the border, skin that catches along the axis, volume shared with the tissue, the most that two of part
and mould halves share, and whether trimesh and manifold3d both call shell and mould closed, with the same volumes.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

import numpy as np
import trimesh

from facecom.completion import complete
from facecom.errors import ScanError
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, boundary_edges, face_normals
from facecom.prosthesis import DesignSettings, Prosthesis, design_all
from facecom.prosthesis.shell.axis import axis_frame
from facecom.prosthesis.shell.face_kinds import INNER, classify_faces
from facecom.prosthesis.solid.booleans import to_solid

HEAD = "part                    s  crossing  thinnest  between  margin   gap  catch  overlap  mould  closed  warnings"


def main() -> None:
    """Complete each scan, design its parts, print a row each."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bench", type=Path)
    parser.add_argument("--only", nargs="*", default=[], help="cases whose names hold one of these words")
    parser.add_argument("--margin", type=float, default=5.0)
    options = parser.parse_args()
    print(HEAD)
    for scan in sorted(options.bench.glob("cases/*/scan.ply")):
        name = scan.parent.name
        if options.only and not any(word in name for word in options.only):
            continue
        completion = complete(scan)
        since = time.perf_counter()
        try:
            parts = design_all(completion, settings=DesignSettings(margin_mm=options.margin))
        except (ScanError, ValueError) as problem:
            print(f"{name:20s} refused: {problem}", flush=True)
            continue
        seconds = (time.perf_counter() - since) / len(parts)
        for k, part in enumerate(parts):
            print(row(f"{name}/{k + 1}" if len(parts) > 1 else name, part, seconds), flush=True)


def row(name: str, part: Prosthesis, seconds: float) -> str:
    """What could be wrong with a part, in one line."""
    found = part.inspection
    halves = [closed(mesh) for mesh in (part.shell, part.mould_a, part.mould_b)]
    solids = [to_solid(mesh) for mesh in (part.shell, part.mould_a, part.mould_b)]
    shared = max(_shared(solids[a], solids[b], part.axis) for a, b in ((1, 0), (0, 2), (1, 2)))
    return (
        f"{name:20s} {seconds:5.1f} {found.self_intersecting_edges:9d} {min(found.wall.min, found.rim.min):9.2f} "
        f"{between(part):8.2f} {found.margin.min:7.2f} {found.clearance.max:5.2f} {found.undercuts.seat_mm2:6.1f} "
        f"{found.overlap_mm3:8.2f} {shared:6.3f} {'yes' if all(halves) else 'no':>7s} {len(part.warnings):9d}"
    )


def _shared(upper: Any, lower: Any, axis: Floats, *, apart_mm: float = 1e-4) -> float:
    """Volume that two solids share, mm3, as they are or a little apart along the axis, whichever is less.

    Their common faces were equal before they were turned into the scan's frame; rounded they may be read as a slab.
    """
    moved = upper.translate((apart_mm * axis).tolist())
    return min(float((upper ^ lower).volume()), float((moved ^ lower).volume()))


def between(part: Prosthesis, *, count: int = 50_000) -> float:
    """The least distance of random points of the outer face to the inner one, mm."""
    shell = part.shell.with_vertices(part.shell.vertices @ axis_frame(part.axis).T)
    shown, _ = shell.submesh((part.provenance[shell.faces] >= 0).all(1))
    # Triangles of the cut along the border may have all their corners on it.
    border = np.isin(shown.faces, boundary_edges(shown.faces)).all(1)
    shown, _ = shown.submesh(~(border & (np.abs(face_normals(shown)[:, 2]) < 1e-4)))
    inner, _ = shell.submesh(classify_faces(shell, shown) == INNER)
    outer = trimesh.Trimesh(shown.vertices, shown.faces, process=False)
    points, _ = trimesh.sample.sample_surface(outer, count, seed=0)
    return float(Surface(inner).closest(points).distance.min())


def closed(mesh: Mesh) -> bool:
    """Whether trimesh and manifold3d both call a mesh a closed solid, and agree on its volume."""
    other = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    try:
        volume = float(to_solid(mesh).volume())
    except ValueError:
        return False
    sound = other.is_watertight and other.is_winding_consistent and volume > 0
    return bool(sound and abs(other.volume - volume) < 1e-6 * volume)


if __name__ == "__main__":
    main()
