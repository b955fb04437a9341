"""The 3D view of a report: meshes packed small, turned in the browser by plotly, which travels in the page."""

from __future__ import annotations

import base64
import json
from importlib import resources
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, face_areas
from facecom.provenance import Provenance
from facecom.report import colors
from facecom.report.display_data import KIND_COLOURS, KIND_NAMES, DisplayData
from facecom.report.shading import Cells

MOST_SCAN_FACES = 40_000
MOST_PATCH_FACES = 25_000
BESIDE_MM = 5.0
"""What of the scan lies farther from the face is hair or clothes, and has no distance to show."""
_LEVELS = 254  # the byte 255 stands for "nothing to show"


def scene(layers: DisplayData) -> dict[str, Any]:
    """Scan, whole face and patch with their colours, ready for JSON.

    Positions are 16-bit steps of `step_mm`, colour values bytes over the range of their scale; both are finer than
    the eye. Large scans and patches are coarsened.
    """
    result = layers.result
    paint = result.context.scan.mm.mesh.colors
    scan, own = _coarser(layers.scan, _with_colours(layers.scan.vertices, paint), MOST_SCAN_FACES)
    own, scan_paint = own[:, :3], own[:, 3:]
    scan_distance = Surface(layers.face).closest(own).distance
    near = scan_distance < BESIDE_MM
    shown = np.concatenate([scan_distance[near], layers.face_to_scan[layers.measured]])
    far = colors.round_up(float(np.percentile(shown, 98)) if len(shown) else 1.0)
    unsure = colors.round_up(float(np.percentile(result.sigma_mm, 98)))
    patch, values = _patch(layers)
    step = max(float(np.abs(m.vertices).max()) for m in (scan, layers.face, patch) if len(m.vertices)) / 32_000
    objects = {
        "scan": _packed(scan, step)
        | {"distance": _bytes(scan_distance, far, near), "sigma": None, "provenance": None}
        | {"colour": _paint(scan_paint)},
        "face": _packed(layers.face, step)
        | {
            "distance": _bytes(layers.face_to_scan, far, layers.measured),
            "sigma": _bytes(result.sigma_mm, unsure),
            "provenance": _array(layers.kind.astype(np.uint8)),
            "colour": None if result.face.colors is None else _paint(result.face.colors),
        },
        "patch": _packed(patch, step)
        | {
            "distance": None,
            "sigma": _bytes(values[:, 0], unsure),
            "provenance": _array(np.round(values[:, 1]).astype(np.uint8)),
            "colour": _paint(values[:, 2:]),
        },
    }
    return {
        "step_mm": step,
        "objects": objects,
        "plain": colors.css(colors.PLAIN),
        "unseen": colors.css(colors.UNSEEN),
        "kinds": [{"name": n, "colour": colors.css(c)} for n, c in zip(KIND_NAMES, KIND_COLOURS, strict=True)],
        "ramp": [colors.css(c) for c in colors.SEQUENTIAL],
        "levels": _LEVELS,
        "high": {"distance": far, "sigma": unsure},
    }


def script() -> tuple[str, str] | None:
    """Source of the plotting library and its version, None where it is not installed."""
    try:
        from plotly import __version__
        from plotly.offline import get_plotlyjs
    except ImportError:
        return None
    return get_plotlyjs(), __version__


def viewer_source() -> str:
    """Our own part of the script: which mesh and which colours are shown."""
    return resources.files("facecom").joinpath("assets", "report", "viewer.js").read_text(encoding="utf-8")


def json_for_script(value: Any) -> str:
    """JSON that cannot end the script element that it stands in.

    Examples
    --------
    >>> json_for_script("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


def _patch(layers: DisplayData) -> tuple[Mesh, Floats]:
    """The patch, and for each of its vertices sigma, kind, and where there are any its colours (P, 2 or 5)."""
    merged, joined = layers.merged, layers.result.context.stitched
    faces = merged.faces[(joined.added[merged.faces]).any(axis=1)]
    if not len(faces):
        return Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), np.zeros((0, 2))
    used, corner = np.unique(faces, return_inverse=True)
    values = np.stack([layers.result.merged_sigma_mm[used], layers.merged_kind[used]], axis=1)
    # a vertex of the rim is measured, its triangle in the patch is not
    rim = ~joined.added[used]
    values[rim, 1] = Provenance.MODEL
    if not rim.all():
        nearest = cKDTree(merged.vertices[used[~rim]]).query(merged.vertices[used[rim]])[1]
        values[rim, 1] = values[~rim, 1][nearest]
    mesh, paint = Mesh(merged.vertices[used], corner.reshape(-1, 3)), layers.result.merged.colors
    return _coarser(mesh, _with_colours(values, None if paint is None else paint[used]), MOST_PATCH_FACES)


def _with_colours(values: Floats, paint: Floats | None) -> Floats:
    return values if paint is None else np.concatenate([values, np.nan_to_num(paint)], axis=1)


def _paint(paint: Floats) -> dict[str, str] | None:
    """Colours (V, 3) as bytes, None where there are none."""
    return _array(np.rint(255 * np.clip(paint, 0, 1)).astype(np.uint8)) if paint.shape[1] else None


def _coarser(mesh: Mesh, values: Floats, most_faces: int) -> tuple[Mesh, Floats]:
    """A mesh of at most so many faces, and the values of one of the vertices that each of its own stands for."""
    whole, own = mesh, values
    cell = 0.9 * np.sqrt(2 * face_areas(mesh).sum() / most_faces)  # a square of the lattice holds two triangles
    while len(mesh.faces) > most_faces:
        cells = Cells(whole.vertices, cell_mm=cell)
        mesh, values = cells.merged(whole), own[cells.first]
        cell *= 1.1
    return mesh, values


def _packed(mesh: Mesh, step_mm: float) -> dict[str, Any]:
    kind = np.uint16 if len(mesh.vertices) < 2**16 else np.uint32
    return {
        "xyz": _array(np.round(mesh.vertices / step_mm).astype(np.int16)),
        "faces": _array(mesh.faces.astype(kind)),
    }


def _bytes(values: Floats, high: float, shown: Any = True) -> dict[str, str]:
    level = np.round(np.clip(values / high, 0, 1) * _LEVELS)
    return _array(np.where(shown, level, 255).astype(np.uint8))


def _array(values: np.ndarray) -> dict[str, str]:
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {"type": f"{values.dtype.kind}{values.dtype.itemsize}", "data": base64.b64encode(little.tobytes()).decode()}
