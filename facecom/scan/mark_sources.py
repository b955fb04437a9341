"""Marks from what a caller has: a file, an array, a mesh, colours or numbers of the scan's own vertices, or a name."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path
from typing import Any

import numpy as np

from facecom.errors import ScanError
from facecom.geometry.mesh import Bools, Mesh
from facecom.io.files import READABLE, read_scan_file
from facecom.io.regular_files import regular_bytes
from facecom.io.texture_images import load_image, sample_texture
from facecom.scan.marks import Marks

MARK_JSON, MASK_IMAGES = ".json", (".png", ".jpg", ".jpeg", ".tif", ".tiff", ".bmp")
MOST_JSON_BYTES = 50_000_000
"""Painted points of a million vertices as text; what is larger is something else."""
JSON_KEYS = ("points", "spheres", "outlines", "regions")
JSON_HOW = 'write {"points": [[x, y, z], ...]}, {"spheres": [{"center": [x, y, z], "radius": r}]} or "outlines"'
COLOR_TOLERANCE = 0.15
"""Distance of a colour (0..1) to the one that was painted: exports and interpolation change colours a little."""
PAINTED = 0.5
"""A number or grey value above this is a mark."""


def scan_marks(value: Any, scan: Mesh, *, source: Any = None, regions: Collection[str] = ()) -> Marks:
    """Marks on a scan, from any of the forms that `facecom.complete` takes.

    Parameters
    ----------
    value : None; Marks; (N, 3) points; (V,) mask of the scan's own vertices; a Mesh or any other painted mesh; a path:
        of a mesh or cloud, of JSON, or of an image in the scan's texture coordinates; "attribute:NAME", a number of
        each vertex in the scan's file; "color:RRGGBB", a colour that was painted on the scan; the name of a region; or
        a list of such
    scan : Mesh, as it was read, in its own unit
    source : what the scan was read from, for attributes
    regions : the names of regions that are known

    Raises
    ------
    ScanError
        When a file cannot be read.
    ValueError
        When the value is none of these; the message says what there is.

    Examples
    --------
    >>> corner = Mesh([[0, 0, 0], [1, 0, 0], [0, 1, 0]], [[0, 1, 2]])
    >>> scan_marks([True, False, False], corner).points.tolist()
    [[0.0, 0.0, 0.0]]
    >>> scan_marks("nose", corner, regions=("nose",)).regions
    ('nose',)
    """
    if value is None:
        return Marks()
    if isinstance(value, Marks):
        return value
    if isinstance(value, Mesh):
        return Marks(points=value.vertices, faces=value.faces)
    if isinstance(value, str | os.PathLike):
        return _named_marks(os.fspath(value), scan, source, regions)
    if hasattr(value, "vertices") and hasattr(value, "faces"):
        return Marks(points=np.asarray(value.vertices, float), faces=np.asarray(value.faces))
    if isinstance(value, list | tuple) and value and any(isinstance(part, str | os.PathLike) for part in value):
        return sum((scan_marks(part, scan, source=source, regions=regions) for part in value), Marks())
    return _array_marks(np.asarray(value), scan)


def _array_marks(values: np.ndarray, scan: Mesh) -> Marks:
    if values.shape == (len(scan.vertices),) and values.dtype.kind in "bif":
        return _of_vertices(values > PAINTED, scan, "the mask")
    if values.ndim == 2 and values.shape[1] == 3 and values.dtype.kind in "if":
        return Marks(points=values)
    raise ValueError(
        f"marks must be (N, 3) points or a mask of the scan's {len(scan.vertices):,} vertices, got an array of shape "
        f"{values.shape} of {values.dtype}"
    )


def _of_vertices(chosen: Bools, scan: Mesh, what: str) -> Marks:
    chosen = chosen & np.isfinite(scan.vertices).all(axis=1)
    if not chosen.any():
        raise ValueError(f"{what} marks none of the scan's {len(scan.vertices):,} vertices")
    return Marks(points=scan.vertices[chosen])


def _named_marks(text: str, scan: Mesh, source: Any, regions: Collection[str]) -> Marks:
    kind, _, rest = text.partition(":")
    if kind == "attribute" and rest:
        return _attribute_marks(rest, scan, source)
    if kind == "color" and rest:
        return _color_marks(rest, scan)
    if text in regions:
        return Marks(regions=(text,))
    path = Path(text)
    suffix = path.suffix.lower()
    if suffix == MARK_JSON:
        return read_marks(path)
    if suffix in MASK_IMAGES:
        return _texture_marks(path, scan)
    if suffix in READABLE:
        painted = read_scan_file(path).mesh
        if len(painted.faces):
            return Marks(points=painted.vertices, faces=painted.faces)
        return Marks(points=painted.vertices[np.isfinite(painted.vertices).all(axis=1)])
    raise ValueError(
        f"{text!r} marks nothing: it must be a file ({', '.join((MARK_JSON, *MASK_IMAGES[:2], *READABLE))}), "
        f"attribute:NAME, color:RRGGBB or a region ({', '.join(regions)})"
    )


def _attribute_marks(name: str, scan: Mesh, source: Any) -> Marks:
    held = dict(read_scan_file(source).attributes) if isinstance(source, str | os.PathLike) else {}
    if name not in held:
        there = ", ".join(sorted(held)) or "none"
        raise ValueError(f"the scan's vertices have no attribute {name!r}; there are: {there}")
    return _of_vertices(np.asarray(held[name], float) > PAINTED, scan, f"the attribute {name!r}")


def _color_marks(text: str, scan: Mesh) -> Marks:
    digits = text.removeprefix("#")
    if len(digits) != 6 or any(c not in "0123456789abcdefABCDEF" for c in digits):
        raise ValueError(f"color:{text} must name a colour by six hexadecimal digits, as in color:ff0000")
    if scan.colors is None:
        raise ValueError("the scan has no colours, so no colour marks anything on it")
    wanted = np.array([int(digits[k : k + 2], 16) for k in (0, 2, 4)]) / 255.0
    return _of_vertices(np.linalg.norm(scan.colors - wanted, axis=1) < COLOR_TOLERANCE, scan, f"the colour {digits}")


def _texture_marks(path: Path, scan: Mesh) -> Marks:
    if scan.uv is None:
        raise ValueError(f"{path.name}: the scan has no texture coordinates, so an image cannot mark it")
    image = load_image(path)
    if image is None:
        raise ScanError(f"{path} cannot be read as an image; save it as PNG")
    known = np.isfinite(scan.uv).all(axis=1)
    grey = np.zeros(len(scan.vertices))
    grey[known] = sample_texture(image, scan.uv[known]).mean(axis=1)
    return _of_vertices(grey > PAINTED, scan, f"the image {path.name}")


def read_marks(path: str | os.PathLike[str]) -> Marks:
    """Read marks from JSON: points, spheres and outlines in the scan's own frame and unit, and names of regions.

    Raises
    ------
    ScanError
        When the file cannot be read or holds something else.

    Examples
    --------
    >>> import tempfile
    >>> path = Path(tempfile.mkdtemp()) / "wound.json"
    >>> _ = path.write_text('{"spheres": [{"center": [0, 8, -8], "radius": 30}]}')
    >>> read_marks(path).spheres.tolist()
    [[0.0, 8.0, -8.0, 30.0]]
    """
    where = Path(path)
    try:
        found = json.loads(regular_bytes(where, most_bytes=MOST_JSON_BYTES).decode("utf-8-sig"))
    except OSError as error:
        raise ScanError(f"{where}: the marks cannot be read ({error.strerror}); check the path") from None
    except (ValueError, RecursionError):
        raise ScanError(f"{where} is not JSON; {JSON_HOW}") from None
    if not isinstance(found, dict) or not found or set(found) - set(JSON_KEYS):
        raise ScanError(f"{where} does not hold marks; {JSON_HOW}")
    try:
        return Marks(
            points=np.array(found.get("points", []), float).reshape(-1, 3),
            spheres=np.array([[*ball["center"], ball["radius"]] for ball in found.get("spheres", [])], float),
            outlines=tuple(np.array(line, float) for line in found.get("outlines", [])),
            regions=tuple(str(name) for name in found.get("regions", [])),
        )
    except (ValueError, TypeError, KeyError, OverflowError):
        raise ScanError(f"{where} does not hold marks; {JSON_HOW}") from None


def marks_json(marks: Marks) -> str:
    """Marks as the text that `read_marks` reads, for programs that let people paint.

    Painted triangles are left out: their points stand for them.
    """
    return json.dumps(
        {
            "points": marks.points.tolist(),
            "spheres": [{"center": ball[:3].tolist(), "radius": float(ball[3])} for ball in marks.spheres],
            "outlines": [line.tolist() for line in marks.outlines],
            "regions": list(marks.regions),
        }
    )
