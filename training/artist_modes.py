"""Modes of heads that artists made, on the template.

`check` registers single heads too and says how far they lie from those that were carried along with the average.

python -m training.artist_modes check --makehuman DATA/makehuman_cc0/makehuman_head.npz --vitruvian DATA/vitruvian_cc0
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import fit_similarity
from facecom.model.face_region import FACE_RADIUS_MM, face_mask
from facecom.model.principal_modes import principal_modes
from facecom.model.template import SHAPE_LEVEL, Template
from facecom.registration import register
from training.artist_heads import Heads, makehuman, vitruvian
from training.carrying import Placed, SmoothFill, placed

COUNT, RANK, SEED = 600, 70, 0
MAKEHUMAN_SD, VITRUVIAN_SD = 0.15, 0.3


def sources(options: argparse.Namespace) -> Iterator[Heads]:
    """The heads that the options name."""
    if options.makehuman:
        yield makehuman(options.makehuman, count=COUNT, part_sd=MAKEHUMAN_SD, seed=SEED)
    if options.vitruvian:
        yield vitruvian(options.vitruvian, count=COUNT, part_sd=VITRUVIAN_SD, seed=SEED)


def transferred(heads: Heads, place: Placed, template: Template) -> np.ndarray:
    """Displacements (K, V2, 3) of each head from their average on the template, mm, without rigid motion."""
    count = template.counts[SHAPE_LEVEL]
    mean = template.vertices[:count]
    core = face_mask(mean, radius_mm=FACE_RADIUS_MM)
    fill = SmoothFill(template, place.sure)
    average = place.pose.apply(place.rows @ heads.mean.vertices)
    out = np.empty((len(heads.vertices), count, 3), np.float32)
    for k, vertices in enumerate(heads.vertices):
        face = place.pose.apply(place.rows @ vertices.astype(float))
        at = core & place.sure
        out[k] = fill(fit_similarity(face[at], average[at]).apply(face) - average)
    return out


def modes(heads: Heads, template: Template, *, rank: int = RANK) -> np.ndarray:
    """Leading modes (rank, V2, 3) of the heads on the template, mm for one standard deviation."""
    moved = transferred(heads, placed(heads.mean), template)
    return principal_modes(moved, moved.mean(axis=0), count=rank)


def check(heads: Heads, template: Template, *, count: int) -> str:
    """How far heads registered on their own lie from heads that were transferred: on the face, normal and along it."""
    place = placed(heads.mean)
    normal, along = [], []
    level = template.counts[SHAPE_LEVEL]
    mean = template.vertices[:level]
    core = (np.hypot(mean[:, 0], mean[:, 1] - 10) < 80) & (mean[:, 2] > -60) & place.sure
    for vertices in heads.vertices[:count].astype(float):
        own = register([Mesh(vertices, heads.faces)], unit="mm")[0].vertices[:level]
        gap = own - place.rows @ vertices
        normals = vertex_normals(own, template.faces[SHAPE_LEVEL])
        across = np.einsum("vd,vd->v", gap, normals)
        normal.append(np.abs(across[core]).mean())
        along.append(np.linalg.norm(gap - across[:, None] * normals, axis=1)[core].mean())
    return (
        f"{heads.credit.split(',')[0]}: {place.sure.mean():.0%} of the vertices have a place; {count} heads registered "
        f"alone lie {np.mean(normal):.2f} mm (normal) and {np.mean(along):.2f} mm (along) from those transferred"
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("verb", choices=["check"])
    parser.add_argument("--makehuman", type=Path)
    parser.add_argument("--vitruvian", type=Path)
    parser.add_argument("--count", type=int, default=5)
    options = parser.parse_args()
    for heads in sources(options):
        print(check(heads, Template.load(), count=options.count), flush=True)


if __name__ == "__main__":
    main()
