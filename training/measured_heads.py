"""Populations that others measured and published as a mean and modes, carried onto the template.

python -m training.measured_heads check --flame DATA/flame2023_open/flame60.npz --gnm DATA/gnm_head/gnm16.npz

`check` says how well the shipped registration fits each average and how much of the variation lies where.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats, Ints, Mesh, face_components
from facecom.geometry.transform import fit_similarity
from facecom.model.face_region import FACE_RADIUS_MM, face_mask
from facecom.model.template import SHAPE_LEVEL, Template
from training.carrying import SmoothFill, placed

FLAME_CREDIT = (
    "FLAME 2023 Open, T. Li, T. Bolkart, M. J. Black, H. Li, J. Romero (SIGGRAPH Asia 2017), Max Planck Institute for "
    "Intelligent Systems, CC BY 4.0 (https://creativecommons.org/licenses/by/4.0/): identity modes, changed"
)
GNM_CREDIT = "GNM Head v3 (Google), Apache License 2.0: principal modes of its identity space, changed"


@dataclass(frozen=True, eq=False)
class MeasuredHeads:
    """A population on its own topology, mm.

    mean : (N, 3); modes : (K, N, 3) for one standard deviation; faces : (F, 3), the skin
    """

    name: str
    mean: Floats
    modes: np.ndarray
    faces: Ints
    credit: str


@dataclass(frozen=True, eq=False)
class CarriedPopulation:
    """A population on the template's vertices of `SHAPE_LEVEL`, in the face frame, mm.

    mean : (V, 3), superposed on the template's face without scaling; modes : (K, V, 3)
    """

    name: str
    mean: Floats
    modes: Floats
    credit: str


def flame(path: Path) -> MeasuredHeads:
    """FLAME 2023 Open: sixty identity modes, from scans of some 3,800 people."""
    return _read("flame", path, FLAME_CREDIT)


def gnm(path: Path) -> MeasuredHeads:
    """Google's GNM Head: sixteen principal modes of its identity space."""
    return _read("gnm", path, GNM_CREDIT)


def sources(options: argparse.Namespace) -> Iterator[MeasuredHeads]:
    """The populations that the options name."""
    if options.flame:
        yield flame(options.flame)
    if options.gnm:
        yield gnm(options.gnm)


def _read(name: str, path: Path, credit: str) -> MeasuredHeads:
    with np.load(path, allow_pickle=False) as stored:
        faces = stored["triangles"].astype(np.int64)
        part = face_components(faces)
        skin = faces[part == np.bincount(part).argmax()]  # eyeballs are parts of their own
        return MeasuredHeads(name, stored["mean"].astype(float), stored["modes"].astype(float), skin, credit)


def carried(heads: MeasuredHeads, template: Template) -> CarriedPopulation:
    """Mean and modes at the template's vertices; where a vertex has no place on the heads it moves with its like."""
    used, faces = np.unique(heads.faces, return_inverse=True)
    place = placed(Mesh(heads.mean[used], faces.reshape(-1, 3)))
    base = template.vertices[: template.counts[SHAPE_LEVEL]]
    at = face_mask(base, radius_mm=FACE_RADIUS_MM) & place.sure
    fill = SmoothFill(template, place.sure)
    found = place.pose.apply(place.rows @ heads.mean[used])
    back = fit_similarity(found[at], base[at])
    mean = base + fill(back.apply(found) - base)
    turn = back.rotation @ place.pose.rotation
    modes = np.stack([fill(place.rows @ mode[used] @ turn.T) for mode in heads.modes])
    return CarriedPopulation(heads.name, mean, modes, heads.credit)


def check(heads: MeasuredHeads, template: Template) -> str:
    """One line: how far the means lie apart, and the size of the modes on the face."""
    found = carried(heads, template)
    base = template.vertices[: template.counts[SHAPE_LEVEL]]
    core = face_mask(base, radius_mm=FACE_RADIUS_MM)
    apart = np.linalg.norm(found.mean - base, axis=1)[core].mean()
    size = np.sqrt((found.modes[:, core] ** 2).sum(axis=(0, 2)).mean())
    return f"{heads.name}: {len(found.modes)} modes, mean face {apart:.2f} mm from the template's, spread {size:.2f} mm"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["check"])
    parser.add_argument("--flame", type=Path)
    parser.add_argument("--gnm", type=Path)
    options = parser.parse_args()
    for heads in sources(options):
        print(check(heads, Template.load()), flush=True)


if __name__ == "__main__":
    main()
