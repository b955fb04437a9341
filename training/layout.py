"""Where the template is fine and where coarse, and which curves its edges follow."""

from __future__ import annotations

import numpy as np

from training.chart import Piece
from training.half_disc import HalfDisc
from training.ict_surface import Ict

# (ICT landmarks (0-based, 68 points) or points in the ICT frame, edge length at level 2 in mm)
FINE = (
    (tuple(range(27, 36)), 1.40),  # nose
    (tuple(range(42, 48)), 1.35),  # left eye
    (tuple(range(48, 68)), 1.40),  # lips
    ((22, 23, 24, 25, 26), 1.9),  # left brow
    ((7, 8, 9), 2.3),  # chin
)
EAR = ((76.0, 34.0, -4.0), (76.0, 14.0, 2.0), (84.0, 26.0, -14.0), (86.0, 42.0, -12.0), (76.0, -4.0, 2.0))
EAR_MM = 1.7
COARSEST_MM = 4.8
GROWTH = 0.08  # mm of edge length per mm of distance


def wanted_edge_mm(points: np.ndarray, ict: Ict) -> np.ndarray:
    """Wanted edge length at level 2 at points of the left half, (n,), mm."""
    out = np.full(len(points), COARSEST_MM)
    sources = [(ict.vertices[ict.landmarks[list(which)]], size) for which, size in FINE]
    sources.append((np.array(EAR), EAR_MM))
    for places, size in sources:
        near = np.min(np.linalg.norm(points[:, None] - places[None], axis=2), axis=1)
        out = np.minimum(out, size + GROWTH * np.maximum(near - 4.0, 0.0))
    return out


def template_pieces(disc: HalfDisc, size: np.ndarray) -> list[Piece]:
    """Midline below and above the lips, border, lid margin (lower, upper), lip seam."""
    v = disc.vertices
    seam = np.flatnonzero(disc.labels["seam"])
    seam = seam[np.argsort(v[seam, 0])]
    middle = int(np.flatnonzero(disc.midline == seam[0])[0])
    lid = np.flatnonzero(disc.labels["lid_l"])
    centre = disc.plane[lid].mean(0)
    angle = np.arctan2(*(disc.plane[lid] - centre).T[::-1])
    lid = lid[np.argsort(angle)]
    lid = np.roll(lid, -int(np.argmin(v[lid, 0])))
    outer = int(np.argmax(v[lid, 0]))
    paths = [
        disc.midline[: middle + 1],
        disc.midline[middle:],
        disc.border,
        lid[: outer + 1],
        np.concatenate([lid[outer:], lid[:1]]),
        seam,
    ]
    return [_piece(disc, size, path) for path in paths]


def _piece(disc: HalfDisc, size: np.ndarray, path: np.ndarray) -> Piece:
    step = np.linalg.norm(np.diff(disc.vertices[path], axis=0), axis=1)
    local = 0.5 * (size[path[1:]] + size[path[:-1]])
    return Piece(disc.plane[path], np.concatenate([[0.0], np.cumsum(step / local)]))
