"""The content of a scan file before it becomes a mesh; shared by the readers of every format."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from facecom.geometry.mesh import Floats, Ints

MAX_COORDINATE = 1e30
"""A larger coordinate is damage, and in single precision its square would overflow."""
MAX_POLYGON_CORNERS = 10_000
"""A polygon with more corners is no piece of a scanned surface, and a fan of triangles over it would be none either."""


MAX_MIXED_POLYGONS = 5_000_000
"""Polygons of different sizes at most: they are read one by one, at some two microseconds and a hundred bytes each."""


@dataclass(frozen=True, eq=False)
class ParsedMesh:
    """The content of one file; every array as stored, in the file's order.

    vertices : (V, 3); faces : (F, 3); uv : (V, 2); corner_uv : (F, 3, 2) where one vertex has several coordinates;
    colors : (V, 3) in 0..1; normals : (V, 3); attributes : other numbers of each vertex, (V,) by name;
    textures : names of files in the scan's folder, or (H, W, 3) uint8 images themselves; face_texture : (F,) which of
    them lies on each face, -1 for none; None where one lies on all.
    """

    vertices: Floats
    faces: Ints
    uv: Floats | None = None
    corner_uv: Floats | None = None
    colors: Floats | None = None
    normals: Floats | None = None
    attributes: Mapping[str, NDArray] = field(default_factory=dict)
    textures: tuple[str | NDArray[np.uint8], ...] = ()
    face_texture: Ints | None = None


class FileFormatError(ValueError):
    """The bytes are not what the format asks for; the message is the second half of a sentence."""


def cut_short(what: str, declared: int, found: int) -> FileFormatError:
    """The error of a file that ends before what it declares."""
    return FileFormatError(
        f"is cut short: it declares {declared:,} {what} and holds {found:,}; copy or export it again"
    )


def refuse_doctype(*_: object) -> None:
    """Refuse a file of XML that declares a document type, through which entities could grow; a handler of expat."""
    raise FileFormatError("declares a document type, which no scan needs; export it again")


def check_mixed(count: int) -> None:
    """Refuse more polygons of different sizes than are read one by one."""
    if count > MAX_MIXED_POLYGONS:
        raise FileFormatError(
            f"has {count:,} polygons of different sizes, more than {MAX_MIXED_POLYGONS:,}; split them into triangles"
        )


def no_faces() -> Ints:
    """An empty face list."""
    return np.zeros((0, 3), np.int64)


def triangulate(corners: Ints, flat: Ints) -> tuple[Ints, Ints]:
    """Split polygons into fans of triangles, in file order; polygons of fewer than three corners vanish.

    Parameters
    ----------
    corners : (P,) int, number of corners of each polygon
    flat : (sum of corners,) int, the corners of all polygons, one after another

    Returns
    -------
    faces : (F, 3) int
    corner : (F, 3) int, which entry of `flat` each corner came from

    Raises
    ------
    FileFormatError
        When a polygon has more than `MAX_POLYGON_CORNERS` corners.

    Examples
    --------
    >>> triangulate(np.array([4]), np.array([5, 6, 7, 8]))[0].tolist()
    [[5, 6, 7], [5, 7, 8]]
    """
    if len(corners) and corners.max() > MAX_POLYGON_CORNERS:
        raise FileFormatError(
            f"has a polygon of {corners.max():,} corners, more than {MAX_POLYGON_CORNERS:,}; split it into triangles"
        )
    if len(corners) and (corners == 3).all():
        corner = np.arange(len(flat)).reshape(-1, 3)
        return flat.reshape(-1, 3), corner
    start = np.concatenate([[0], np.cumsum(corners)[:-1]]).astype(np.int64)[: len(corners)]
    triangles = np.maximum(corners - 2, 0)
    polygon = np.repeat(np.arange(len(corners)), triangles)
    step = np.arange(len(polygon)) - np.repeat(np.cumsum(triangles) - triangles, triangles)
    first = start[polygon]
    corner = np.stack([first, first + step + 1, first + step + 2], axis=1)
    return flat[corner], corner


def vertex_uv_from_corners(corner_uv: Floats, faces: Ints, count: int) -> tuple[Floats, bool]:
    """Texture coordinates of vertices from those of face corners: the first corner of a vertex gives its own.

    Returns
    -------
    uv : (count, 2); NaN where no face meets
    consistent : bool, whether all corners of each vertex agree, so that `uv` alone loses nothing
    """
    uv = np.full((count, 2), np.nan)
    flat, values = faces.ravel(), corner_uv.reshape(-1, 2)
    uv[flat[::-1]] = values[::-1]
    same = (uv[flat] == values) | (np.isnan(uv[flat]) & np.isnan(values))
    return uv, bool(same.all())


def unit_colors(values: NDArray) -> Floats:
    """Colours in 0..1 from bytes, from 0..255 in any type, or from 0..1 floats."""
    out = np.asarray(values, np.float64)
    if values.dtype.kind in "ui":
        return np.clip(out / np.iinfo(values.dtype).max, 0.0, 1.0)
    known = out[np.isfinite(out)]
    return np.clip(out / (255.0 if known.size and known.max() > 1.0 else 1.0), 0.0, 1.0)


def color_columns(values: Floats) -> Floats | None:
    """Colours in 0..1 of three columns of a text file; None where their range is not one of colours.

    Examples
    --------
    >>> color_columns(np.array([[0.0, 51.0, 255.0]])).tolist()
    [[0.0, 0.2, 1.0]]
    >>> color_columns(np.array([[-1.0, 0.0, 0.0]])) is None
    True
    """
    if not np.isfinite(values).all() or values.min() < 0 or values.max() > 255:
        return None
    return unit_colors(values)


def color_bytes(colors: Floats) -> NDArray[np.uint8]:
    """Colours in 0..1 as bytes; what is not a number becomes 0.

    Examples
    --------
    >>> color_bytes(np.array([[0.0, 0.5, np.nan]])).tolist()
    [[0, 128, 0]]
    """
    return np.rint(np.clip(np.nan_to_num(colors), 0, 1) * 255).astype(np.uint8)


def sibling_file(folder: Path, name: str) -> Path | None:
    """The file `name` in `folder`, or None; never one outside it."""
    found = folder / Path(name.replace("\\", "/")).name
    try:
        return found if found.is_file() else None
    except (OSError, ValueError):  # a name that no file can have
        return None


def fits_float32(values: NDArray) -> bool:
    """Whether every finite number of an array is a float32 already."""
    with np.errstate(over="ignore"):
        return bool(np.array_equal(values.astype(np.float32).astype(np.float64), values, equal_nan=True))
