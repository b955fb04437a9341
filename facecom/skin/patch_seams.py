"""The seam of two overlapping patches of relief: images of both, and the cut along which they differ least."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter, map_coordinates

from facecom.geometry.mesh import Bools, Floats
from facecom.geometry.minimum_cut import source_side
from facecom.skin.band_filters import Singles

FILL_SIGMA_PIXELS = 0.7
"""Deviation of the Gaussian that fills pixels without a vertex."""
MIN_FILL_WEIGHT = 0.2
"""Weight of that Gaussian from which on a pixel has a value."""
ERROR_WEIGHT = 1000.0
"""Cost of a pixel of mean squared difference over that of one without any: the seam goes round differences."""
KEEP_MARGIN_PIXELS = 3
"""Width of the outer ring in which what was laid before stays."""
CORE_SHARE = 0.3
"""Share of the radius within which the new patch is taken where no vertex is uncovered."""
MAX_CAPACITY, FIXED_CAPACITY = 1e6, 1e8
"""Largest capacity of an edge between pixels, and that of the edges that hold pixels to their side."""


def rasterize(offsets: Floats, values: Floats, *, half: int, pixel: float) -> tuple[Singles, Singles]:
    """Scattered values as an image of side 2 half + 1, and the mask of pixels that have one.

    Parameters
    ----------
    offsets : (Q, 2) float, mm, from the middle of the image
    values : (Q,) float
    half : int, pixels
    pixel : float, mm
    """
    side = 2 * half + 1
    at = np.rint(offsets / pixel).astype(int) + half
    inside = ((at >= 0) & (at < side)).all(1)
    flat = at[inside, 1] * side + at[inside, 0]
    number = np.bincount(flat, minlength=side * side).reshape(side, side).astype(np.float32)
    total = np.bincount(flat, values[inside], minlength=side * side).reshape(side, side).astype(np.float32)
    weight = gaussian_filter(number, FILL_SIGMA_PIXELS)
    image = gaussian_filter(total, FILL_SIGMA_PIXELS) / np.maximum(weight, 1e-3)
    direct = number > 0
    image[direct] = total[direct] / number[direct]
    grid = np.arange(side) - half
    disc = grid[:, None] ** 2 + grid[None] ** 2 <= (half - 0.5) ** 2
    return image, ((weight > MIN_FILL_WEIGHT) & disc).astype(np.float32)


def blend_weights(
    offsets: Floats, covered: Bools, new: Floats, *, image: Singles, half: int, pixel: float, feather: float
) -> Floats:
    """Share of the new patch at each vertex: one where nothing lay, cut along the least difference elsewhere.

    Parameters
    ----------
    offsets : (Q, 2) float, mm, of the vertices from the middle of the patch
    covered : (Q,) bool, vertices that a patch covers already
    new : (Q,) float, mm, relief of the new patch
    image : what lies there, as `rasterize` draws it with the same `half` and `pixel`
    half : int, half the side of the image in pixels
    pixel : float, mm
    feather : float, mm, width of the seam
    """
    if not covered.any():
        return np.ones(len(covered))
    new_image, _ = rasterize(offsets, new, half=half, pixel=pixel)
    _, laid = rasterize(offsets[covered], np.zeros(covered.sum()), half=half, pixel=pixel)
    free = np.zeros_like(laid)
    if (~covered).any():
        free = rasterize(offsets[~covered], np.zeros((~covered).sum()), half=half, pixel=pixel)[1]
    taken = _new_side((new_image - image) ** 2, laid > 0, free > 0)
    soft = gaussian_filter(taken.astype(np.float32), feather / pixel)
    share = map_coordinates(soft, offsets[:, ::-1].T / pixel + half, order=1, mode="nearest")
    return np.where(covered, share, 1.0)


def _new_side(error: Singles, laid: Bools, free: Bools) -> Bools:
    """Pixels of the new side of the minimum cut between the outer laid pixels and the free ones."""
    side = len(error)
    half = side // 2
    grid = np.arange(side) - half
    radius = np.hypot(grid[:, None], grid[None])
    keep = laid & ~free & (radius > half - KEEP_MARGIN_PIXELS)
    take = free | ((radius < CORE_SHARE * half) if not free.any() else False)
    if not keep.any() or not take.any():
        return take | ~laid
    weight = 1.0 + ERROR_WEIGHT * error / max(float(error[laid].mean()), 1e-12)
    source, sink = side * side, side * side + 1
    return source_side(_pixel_graph(weight, take, keep), source, sink)[:-2].reshape(side, side)


def _pixel_graph(weight: Singles, take: Bools, keep: Bools) -> sp.csr_matrix:
    """Capacities between neighbouring pixels, from the source to what is taken, and from what is kept to the sink."""
    side = len(weight)
    index = np.arange(side * side).reshape(side, side)
    rows, columns, capacity = [], [], []
    for a, b in ((index[:, :-1], index[:, 1:]), (index[:-1], index[1:])):
        a, b = a.ravel(), b.ravel()
        value = np.minimum(weight.ravel()[a] + weight.ravel()[b], MAX_CAPACITY)
        rows += [a, b]
        columns += [b, a]
        capacity += [value, value]
    source, sink = side * side, side * side + 1
    rows += [np.full(take.sum(), source), index[keep]]
    columns += [index[take], np.full(keep.sum(), sink)]
    capacity.append(np.full(take.sum() + keep.sum(), FIXED_CAPACITY))
    entries = (np.concatenate(capacity).astype(np.int32), (np.concatenate(rows), np.concatenate(columns)))
    return sp.coo_matrix(entries, shape=(sink + 1, sink + 1)).tocsr()
