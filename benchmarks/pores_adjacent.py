"""How like the skin inside a piece is the same person's skin beside it? What can be asked of skin that is made up.

The windows of a piece are laid on the true head all around the piece, on plain skin that looks the same way, and what
is read there is scored against the true skin inside, as what is made would be.
"""

from __future__ import annotations

import numpy as np
from pore_windows import (
    HIGH_PASS_MM,
    PIXEL_MM,
    SHIFTS,
    WINDOW_MM,
    Array,
    Figures,
    Piece,
    Skin,
    compared,
    frame,
    windows,
)
from scipy.ndimage import gaussian_filter

from facecom.geometry.closest_points import Surface

# Brows and eyes, the underside of the nose, and lips of this head: centre and half sides seen from the front, mm.
FEATURES = (((-31, 31), (25, 16)), ((31, 31), (25, 16)), ((0, -6), (19, 8)), ((0, -33), (27, 10)))
AWAY_MM, CLEAR_MM = (1.0, 6.0), 4.0
TURN_DEG, FOLD_MM = 50.0, 0.12


def beside(skin: Skin, surface: Surface, piece: Piece, *, directions: int = 12) -> list[Figures]:
    """Figures of the true skin at each place beside the piece that will do, against the true skin inside."""
    centre = skin.centre_of(piece)
    inside = skin.views(centre, piece.radius)
    true, normal = windows(surface, inside), inside.normals[0]
    extent = 0.5 * WINDOW_MM + (np.abs(SHIFTS).max() * (piece.radius - 7) if piece.radius > 11 else 0.0)
    right, up = frame(normal)
    found = []
    for away in AWAY_MM:
        for turn in 2 * np.pi * np.arange(directions) / directions:
            middle = skin.nearest(centre + (piece.radius + extent + away) * (np.cos(turn) * right + np.sin(turn) * up))
            views = skin.views(middle, piece.radius)
            outside = np.linalg.norm(views.points - centre, axis=1).min() > piece.radius + CLEAR_MM
            alike = (views.normals[0] @ normal) > np.cos(np.radians(TURN_DEG))
            if not (outside and alike) or any(_on_feature(p) for p in views.points):
                continue
            read = windows(surface, views)
            figures = compared(read, true) if all(_plain(height) for height in read) else None
            if figures is not None:
                found.append(figures)
    return found


def _on_feature(point: Array) -> bool:
    return any(
        abs(point[0] - x) < wide + CLEAR_MM and abs(point[1] - y) < high + CLEAR_MM for (x, y), (wide, high) in FEATURES
    )


def _plain(height: Array) -> bool:
    """Whether a window is all there and has no fold: what is smoother than relief is a paraboloid."""
    if np.isfinite(height).mean() < 0.98:
        return False
    low = gaussian_filter(np.where(np.isfinite(height), height, np.nanmean(height)), HIGH_PASS_MM / PIXEL_MM)
    y, x = (np.mgrid[: len(low), : len(low)] / len(low)).reshape(2, -1)
    terms = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    return bool((low.ravel() - terms @ np.linalg.lstsq(terms, low.ravel(), rcond=None)[0]).std() < FOLD_MM)


def line(name: str, found: list[Figures]) -> str:
    """One line of the table: number of places, bands in dB and their spread, Rq ratio and its spread, share met."""
    if not found:
        return f"{name:18s}   0  no such skin beside it"
    bands, ratio = np.array([f.bands for f in found]), np.array([f.ratio for f in found])
    met = np.mean([f.met for f in found], axis=0)
    shown = "  ".join(f"{m:+5.1f} ±{s:3.1f}" for m, s in zip(bands.mean(0), bands.std(0), strict=True))
    shares = " ".join(f"{100 * share:4.0f}" for share in met)
    return f"{name:18s} {len(found):3d}  {shown}  {ratio.mean():.2f} ±{ratio.std():.2f}  {shares}  {5 * met.mean():.1f}"
