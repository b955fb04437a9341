"""Rows of an array that are identical: duplicate vertices, duplicate faces."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Bools, Floats, Ints

_HASH_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
_HASH_SHIFT = np.uint64(29)


def identical_rows(rows: NDArray) -> tuple[Ints, Ints]:
    """Group the identical rows of an (N, 3) array of 64-bit numbers.

    Returns
    -------
    first : (U,) int, ascending: the first row of each group
    group : (N,) int, which entry of `first` each row is identical to

    Examples
    --------
    >>> [a.tolist() for a in identical_rows(np.array([[1, 2, 3], [4, 5, 6], [1, 2, 3]]))]
    [[0, 1], [0, 1, 0]]
    """
    bits = np.ascontiguousarray(rows).view(np.uint64)
    key = np.zeros(len(bits), np.uint64)
    with np.errstate(over="ignore"):
        for column, factor in zip(bits.T, _HASH_FACTORS, strict=True):
            key = (key ^ column) * factor
            key ^= key >> _HASH_SHIFT
    sorted_key = np.sort(key)
    if not (sorted_key[1:] == sorted_key[:-1]).any():
        return np.arange(len(bits)), np.arange(len(bits))
    order = np.argsort(key)
    first, group = _groups(order, sorted_key[1:] != sorted_key[:-1])
    if (bits[first[group]] != bits).any():  # a collision of keys: sort by the rows
        order = np.lexsort(bits.T)
        first, group = _groups(order, (bits[order[1:]] != bits[order[:-1]]).any(axis=1))
    return first, group


def _groups(order: Ints, differs: Bools) -> tuple[Ints, Ints]:
    """Groups of a sorted list of rows; `differs` where row k + 1 is not row k."""
    starts = np.flatnonzero(np.concatenate([[True], differs]))
    first = np.minimum.reduceat(order, starts)
    is_first = np.zeros(len(order), bool)
    is_first[first] = True
    rank = np.cumsum(is_first) - 1
    group = np.empty(len(order), np.int64)
    group[order] = np.repeat(rank[first], np.diff(np.append(starts, len(order))))
    return np.flatnonzero(is_first), group


def weld(positions: Floats) -> tuple[Ints, Ints]:
    """Group the vertices at exactly the same position; minus zero is zero, and NaN is only itself bit by bit.

    Returns
    -------
    first : (U,) int, ascending: the first vertex of each position
    group : (V,) int, which entry of `first` stands at each vertex's position
    """
    return identical_rows(np.asarray(positions, np.float64) + 0.0)
