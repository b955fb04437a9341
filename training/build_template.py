"""Build the face template from ICT-FaceKit's neutral.

python -m training.build_template ICT_FACEKIT_NPZ --out out/template --asset facecom/assets/template

Writes the template (npz and json) and, under --out, `ict_map.npz`: the exact linear map from ICT's vertices,
`template = matrix @ ict + offset`, which training uses and the package does not ship.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import numpy as np

from facecom.model.template import LANDMARK_NAMES, Template
from training.chart import Chart
from training.closed_surface import close_surface
from training.coarse_mesh import coarse_mesh
from training.half_disc import HalfDisc, finer_disc, half_disc
from training.ict_map import ict_map, nearest_three, write_map
from training.ict_surface import Ict, read_ict
from training.layout import template_pieces, wanted_edge_mm
from training.nested_mesh import HalfMesh, missing_curve_edges, refine, relax, untangle
from training.regions import REGION_NAMES, half_landmarks, half_regions
from training.smoothed_surface import shallow_nostrils, smooth_surface
from training.whole_mesh import Whole, half_uv, mirror_levels, whole_uv

COARSENESS = 4.0  # edge length of level 0 in units of level 2
ROUNDS = ((0, 0), (5, 10), (30, 40), (15, 40))  # of relaxation for size and for shape, by level
MIDLINE_PIECES = {0, 1}
MIRRORED_POINT = (
    *range(16, -1, -1), *range(26, 16, -1), 27, 28, 29, 30, *range(35, 30, -1),
    45, 44, 43, 42, 47, 46, 39, 38, 37, 36, 41, 40,
    54, 53, 52, 51, 50, 49, 48, 59, 58, 57, 56, 55, 64, 63, 62, 61, 60, 67, 66, 65,
)  # fmt: skip

log = logging.getLogger(__name__)


def half_levels(disc: HalfDisc, ict: Ict, *, seed: int) -> tuple[Chart, list[HalfMesh]]:
    """Four nested levels of the left half, each relaxed on the surface."""
    size = wanted_edge_mm(disc.vertices, ict)
    chart = Chart(disc, size)
    pieces = template_pieces(disc, size)
    mesh = coarse_mesh(chart, pieces, coarseness=COARSENESS, seed=seed)
    lost = missing_curve_edges(mesh, pieces)
    if lost:
        raise ValueError(f"{len(lost)} curve edges are missing in the coarse mesh; try another seed")
    levels = []
    for level, (rounds, shape_rounds) in enumerate(ROUNDS):
        mesh = untangle(refine(mesh, pieces) if level else mesh)
        mesh = relax(mesh, chart, rounds=rounds, shape_rounds=shape_rounds)
        levels.append(mesh)
        log.info("level %d: %d half vertices", level, len(mesh.plane))
    return chart, levels


def build(path: Path, *, steps: int, seed: int, map_file: Path) -> Template:
    """The template; writes the map from ICT's vertices to its own on the way."""
    ict = read_ict(path)
    closed = shallow_nostrils(close_surface(ict), ict.vertices)
    smooth = [smooth_surface(closed, ict.vertices, steps=step) for step in range(1, steps + 1)]
    disc = half_disc(smooth[0])
    for coarse_surface, fine_surface in zip(smooth[:-1], smooth[1:], strict=True):
        disc = finer_disc(disc, coarse_surface, fine_surface)
    log.info("half surface: %d vertices, flat", len(disc.vertices))
    chart, levels = half_levels(disc, ict, seed=seed)
    fine = levels[-1]
    rows, _ = chart.rows(fine.plane)
    midline = np.array([bool(MIDLINE_PIECES & set(at)) for at in fine.on])
    whole = mirror_levels(levels, midline)
    matrix, offset = ict_map(whole, rows @ disc.matrix, rows @ disc.offset, ict.mirror)
    vertices = matrix @ ict.vertices + offset
    vertices = 0.5 * (vertices + vertices[whole.mirror] * [-1, 1, 1])
    half = np.flatnonzero(~whole.right)
    half_vertices = np.empty((len(fine.plane), 3))
    half_vertices[whole.half[half]] = vertices[half]

    region, masks = half_regions(fine, half_vertices, disc, rows, ict)
    coarse = len(levels[2].plane)
    points = half_landmarks(half_vertices[:coarse], region[:coarse], midline[:coarse], ict)
    landmarks = _whole_landmarks(points, whole)
    nose = vertices[landmarks[30]] * [0, 1, 1]
    flat = half_uv(fine.plane, fine.faces, half_vertices, midline)
    tip = int(points[30])
    template = Template(
        vertices=np.round(vertices - nose, 5) + 0.0,
        faces=whole.faces,
        mirror=whole.mirror,
        uv=np.round(whole_uv(flat, whole, centre=flat[tip, 1]), 7),
        region=_whole_regions(region, whole),
        region_names=REGION_NAMES,
        landmarks=dict(zip(LANDMARK_NAMES, landmarks, strict=True)),
        masks={name: mask[whole.half] for name, mask in masks.items()},
    )
    middle = whole.mirror == np.arange(len(whole.mirror))
    eye = template.region_mask("l_eye") | template.region_mask("r_eye")
    index, weights = nearest_three(whole, matrix, ict, eye, middle)
    write_map(map_file, matrix, template.vertices - matrix @ ict.vertices, index, weights)
    return template


def _whole_landmarks(points: dict[int, int], whole: Whole) -> list[int]:
    left = {int(h): k for k, (h, r) in enumerate(zip(whole.half, whole.right, strict=True)) if not r}
    found = {number: left[half] for number, half in points.items()}
    for number in range(68):
        if number not in found:
            found[number] = int(whole.mirror[found[MIRRORED_POINT[number]]])
    return [found[number] for number in range(68)]


def _whole_regions(region: np.ndarray, whole: Whole) -> np.ndarray:
    swap = [
        REGION_NAMES.index(f"r_{n[2:]}") if n in ("l_eye", "l_brow", "l_ear") else k for k, n in enumerate(REGION_NAMES)
    ]
    return np.where(whole.right, np.array(swap)[region[whole.half]], region[whole.half])


def main() -> None:
    """Parse the command line and build."""
    parser = argparse.ArgumentParser(description="Build the face template from ICT-FaceKit's npz.")
    parser.add_argument("ict", type=Path, help="ict_facekit.npz")
    parser.add_argument("--out", type=Path, default=Path("out/template"), help="folder for the map from ICT")
    parser.add_argument("--asset", type=Path, default=Path("facecom/assets/template"), help="folder for the template")
    parser.add_argument("--steps", type=int, default=2, help="steps of Loop subdivision of the ICT surface")
    parser.add_argument("--seed", type=int, default=0, help="seed of the coarse sampling")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    map_file = arguments.out / "ict_map.npz"
    template = build(arguments.ict, steps=arguments.steps, seed=arguments.seed, map_file=map_file)
    template.save(arguments.asset)
    log.info("levels %s", template.counts)


if __name__ == "__main__":
    main()
