"""Where two patches of relief overlap: the images of both, and the cut along which they differ least."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.ndimage import gaussian_filter, map_coordinates
from scipy.sparse.csgraph import maximum_flow

from facecom.geometry.mesh import Bools, Floats
from facecom.skin.relief import Singles


def raster(offsets: Floats, values: Floats, *, wide: int, pixel: float) -> tuple[Singles, Singles]:
    """Scattered values (Q,) as an image of side 2 wide + 1 and the mask of pixels that have one; lengths in mm."""
    side = 2 * wide + 1
    at = np.rint(offsets / pixel).astype(int) + wide
    inside = ((at >= 0) & (at < side)).all(1)
    flat = at[inside, 1] * side + at[inside, 0]
    number = np.bincount(flat, minlength=side * side).reshape(side, side).astype(np.float32)
    total = np.bincount(flat, values[inside], minlength=side * side).reshape(side, side).astype(np.float32)
    spread = gaussian_filter(number, 0.7)
    image = gaussian_filter(total, 0.7) / np.maximum(spread, 1e-3)
    direct = number > 0
    image[direct] = total[direct] / number[direct]
    grid = np.arange(side) - wide
    disc = grid[:, None] ** 2 + grid[None] ** 2 <= (wide - 0.5) ** 2
    return image, ((spread > 0.2) & disc).astype(np.float32)


def patch_share(
    offsets: Floats, old: Bools, fresh: Floats, *, image: Singles, wide: int, pixel: float, feather: float
) -> Floats:
    """Share of the new patch at each vertex: one where nothing lay, cut along the least difference elsewhere.

    Parameters
    ----------
    offsets : (Q, 2) float, of the vertices from the middle of the patch, mm
    old : (Q,) bool, vertices that a patch covers already
    fresh : (Q,) float, relief of the new patch
    image : what lies there, as `raster` draws it with the same `wide` and `pixel`
    wide : half the side of the image in pixels; pixel : mm
    feather : width of the cut, mm
    """
    if not old.any():
        return np.ones(len(old))
    new_image, _ = raster(offsets, fresh, wide=wide, pixel=pixel)
    _, laid = raster(offsets[old], np.zeros(old.sum()), wide=wide, pixel=pixel)
    free = np.zeros_like(laid)
    if (~old).any():
        free = raster(offsets[~old], np.zeros((~old).sum()), wide=wide, pixel=pixel)[1]
    new = _cut((new_image - image) ** 2, laid > 0, free > 0, wide)
    soft = gaussian_filter(new.astype(np.float32), feather / pixel)
    share = map_coordinates(soft, offsets[:, ::-1].T / pixel + wide, order=1, mode="nearest")
    return np.where(old, share, 1.0)


def _cut(error: Singles, laid: Bools, free: Bools, wide: int) -> Bools:
    """Pixels of the new side of the minimal cut between the outer laid pixels and the free ones."""
    side = 2 * wide + 1
    grid = np.arange(side) - wide
    radius = np.hypot(grid[:, None], grid[None])
    keep = laid & ~free & (radius > wide - 3)
    take = free | ((radius < 0.3 * wide) if not free.any() else False)
    if not keep.any() or not take.any():
        return take | ~laid
    weight = 1.0 + 1000.0 * error / max(float(error[laid].mean()), 1e-12)
    index = np.arange(side * side).reshape(side, side)
    rows, columns, capacity = [], [], []
    for a, b in ((index[:, :-1], index[:, 1:]), (index[:-1], index[1:])):
        a, b = a.ravel(), b.ravel()
        value = np.minimum(weight.ravel()[a] + weight.ravel()[b], 1e6)
        rows += [a, b]
        columns += [b, a]
        capacity += [value, value]
    source, sink = side * side, side * side + 1
    for node, chosen in ((source, take), (sink, keep)):
        where = index[chosen]
        ends = (np.full(len(where), node), where) if node == source else (where, np.full(len(where), node))
        rows.append(ends[0])
        columns.append(ends[1])
        capacity.append(np.full(len(where), 1e8))
    parts = (np.concatenate(capacity).astype(np.int32), (np.concatenate(rows), np.concatenate(columns)))
    graph = sp.coo_matrix(parts, shape=(sink + 1, sink + 1)).tocsr()
    flow = maximum_flow(graph, source, sink).flow
    residual = graph - flow
    residual.data = np.maximum(residual.data, 0)
    residual.eliminate_zeros()
    reach = sp.csgraph.breadth_first_order(residual, source, return_predecessors=False)
    new = np.zeros(sink + 1, bool)
    new[reach] = True
    return new[:-2].reshape(side, side)
