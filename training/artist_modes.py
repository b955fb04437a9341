"""Modes of heads that artists made, on the template: their average is registered with our fit, the rest follows.

Heads of one topology correspond as they are, so one registration serves all of them, and puts no noise of its own
between them. `check` registers single heads too and says how far the two ways lie apart.

python -m training.artist_modes check --makehuman DATA/makehuman_cc0/makehuman_head.npz --vitruvian DATA/vitruvian_cc0
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse import linalg as sparse_linalg

from facecom.geometry.closest_points import Surface
from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.geometry.transform import Similarity, fit_similarity
from facecom.model.face_region import FACE_RADIUS_MM, face_mask
from facecom.model.principal_modes import principal_modes
from facecom.model.template import SHAPE_LEVEL, Template
from facecom.registration import register
from training.artist_heads import Heads, makehuman, vitruvian

COUNT, RANK, SEED = 600, 70, 0
MAKEHUMAN_SD, VITRUVIAN_SD = 0.15, 0.3
CLOSE_MM, TURNED = 1.5, 0.5


@dataclass(frozen=True, eq=False)
class Placed:
    """Where the template's vertices of level 2 lie on heads of a topology.

    rows : sparse (V2, N); sure : (V2,), where that is a place on the skin; pose : heads' frame -> face frame
    """

    rows: sp.csr_matrix
    sure: Bools
    pose: Similarity


def sources(options: argparse.Namespace) -> Iterator[Heads]:
    """The heads that the options name."""
    if options.makehuman:
        yield makehuman(options.makehuman, count=COUNT, part_sd=MAKEHUMAN_SD, seed=SEED)
    if options.vitruvian:
        yield vitruvian(options.vitruvian, count=COUNT, part_sd=VITRUVIAN_SD, seed=SEED)


def placed(heads: Heads) -> Placed:
    """Register the average head; ICT's shapes alone decide where on it each vertex lies."""
    found = register([heads.mean], unit="mm")[0]
    count = found.template.counts[SHAPE_LEVEL]
    on = Surface(heads.mean).closest(found.vertices[:count])
    normals = vertex_normals(found.vertices, found.template.faces[-1])[:count]
    faces = heads.faces[on.faces]
    corners = heads.mean.vertices[faces]
    across = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    across /= np.linalg.norm(across, axis=1, keepdims=True) + 1e-12
    # lids and lips are closed on the template and open on the heads: there the closest skin means nothing
    sure = (on.distance < CLOSE_MM) & (np.einsum("vd,vd->v", normals, across) > TURNED)
    entries = (on.barycentric.ravel(), (np.repeat(np.arange(count), 3), faces.ravel()))
    rows = sp.coo_matrix(entries, shape=(count, heads.vertices.shape[1])).tocsr()
    return Placed(rows, sure, found.pose)


def transferred(heads: Heads, place: Placed, template: Template) -> np.ndarray:
    """Displacements (K, V2, 3) of each head from their average on the template, mm, without rigid motion."""
    count = template.counts[SHAPE_LEVEL]
    mean = template.vertices[:count]
    core = face_mask(mean, radius_mm=FACE_RADIUS_MM)
    fill = _smooth_fill(mean, template.faces[SHAPE_LEVEL], place.sure)
    average = place.pose.apply(place.rows @ heads.mean.vertices)
    out = np.empty((len(heads.vertices), count, 3), np.float32)
    for k, vertices in enumerate(heads.vertices):
        face = place.pose.apply(place.rows @ vertices.astype(float))
        at = core & place.sure
        out[k] = fill(fit_similarity(face[at], average[at]).apply(face) - average)
    return out


def _smooth_fill(mean: Floats, faces: np.ndarray, sure: Bools):  # type: ignore[no-untyped-def]
    """A function that replaces displacements (V, 3) where not sure by what bends least between the rest."""
    stiffness = cotangent_stiffness(mean, faces)
    area = vertex_areas(mean, faces)
    bending = (stiffness.T @ sp.diags(1.0 / np.maximum(area, 1e-3 * area.mean())) @ stiffness).tocsc()
    free, held = np.flatnonzero(~sure), np.flatnonzero(sure)
    solve = sparse_linalg.factorized((bending[free][:, free] + 1e-9 * sp.identity(len(free))).tocsc())
    coupling = bending[free][:, held]

    def fill(moved: Floats) -> Floats:
        out = moved.copy()
        right = coupling @ moved[held]
        out[free] = -np.column_stack([solve(right[:, axis]) for axis in range(3)])
        return out

    return fill


def modes(heads: Heads, template: Template, *, rank: int = RANK) -> np.ndarray:
    """Leading modes (rank, V2, 3) of the heads on the template, mm for one standard deviation."""
    moved = transferred(heads, placed(heads), template)
    return principal_modes(moved, moved.mean(axis=0), count=rank)


def check(heads: Heads, template: Template, *, count: int) -> str:
    """How far heads registered on their own lie from heads that were transferred: on the face, normal and along it."""
    place = placed(heads)
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
