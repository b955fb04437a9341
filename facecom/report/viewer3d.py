"""The 3D view of a report: quantised meshes in the page, rendered by plotly, which is embedded as well."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from facecom.drawing import colors
from facecom.drawing.shading import VertexGrid
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, face_areas
from facecom.provenance import Provenance
from facecom.report.display_data import PROVENANCE_COLORS, PROVENANCE_LABELS, DisplayData

MAX_SCAN_FACES = 40_000
MAX_PATCH_FACES = 25_000
"""Larger meshes are clustered, so that the page stays small."""
MAX_SHOWN_DISTANCE_MM = 5.0
"""Parts of the scan farther from the face are hair or clothes, and show no distance."""
LEVELS, NO_LEVEL = 254, 255
"""Highest level of a quantised value, and the byte that stands for no value."""
MAX_STEPS = 32_000
"""Steps of a quantised coordinate, which is a signed integer of 16 bits."""
FIRST_CELL, CELL_GROWTH = 0.9, 1.1
"""First cell size of the clustering, over the one that should give the wanted faces, and its growth at each retry."""


def scene(data: DisplayData) -> dict[str, Any]:
    """Scan, completed face and patch with their colours, ready for JSON.

    Positions are 16-bit steps of `step_mm`, values are bytes over the range of their scale; both are finer than can
    be seen. Large scans and patches are clustered.
    """
    result, scan, patch = data.result, _scan(data), _patch(data)
    is_near = scan.distance < MAX_SHOWN_DISTANCE_MM
    max_distance = colors.scale_end(np.concatenate([scan.distance[is_near], data.face_to_scan[data.observed]]))
    max_sigma = colors.sigma_scale_end(result.sigma_mm, data.provenance)
    meshes = (scan.mesh, data.face, patch.mesh)
    step = max(float(np.abs(m.vertices).max()) for m in meshes if len(m.vertices)) / MAX_STEPS
    objects = {
        "scan": _packed(scan.mesh, step)
        | {"distance": _quantised(scan.distance, max_distance, is_near), "sigma": None, "provenance": None}
        | {"colour": _packed_colors(scan.colors)},
        "face": _packed(data.face, step)
        | {
            "distance": _quantised(data.face_to_scan, max_distance, data.observed),
            "sigma": _quantised(result.sigma_mm, max_sigma),
            "provenance": _array(data.provenance.astype(np.uint8)),
            "colour": None if result.face.colors is None else _packed_colors(result.face.colors),
        },
        "patch": _packed(patch.mesh, step)
        | {
            "distance": None,
            "sigma": _quantised(patch.sigma_mm, max_sigma),
            "provenance": _array(np.round(patch.provenance).astype(np.uint8)),
            "colour": _packed_colors(patch.colors),
        },
    }
    return {"step_mm": step, "objects": objects, "high": {"distance": max_distance, "sigma": max_sigma}} | _palette()


def _palette() -> dict[str, Any]:
    labelled = zip(PROVENANCE_LABELS, PROVENANCE_COLORS, strict=True)
    return {
        "plain": colors.css(colors.PLAIN),
        "no_value": colors.css(colors.NO_VALUE),
        "provenance": [{"name": name, "colour": colors.css(color)} for name, color in labelled],
        "ramp": [colors.css(color) for color in colors.SEQUENTIAL],
        "levels": LEVELS,
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
    """Our own script: which mesh and which colours are shown."""
    return resources.files("facecom").joinpath("assets", "report", "viewer.js").read_text(encoding="utf-8")


def json_for_script(value: Any) -> str:
    """JSON that cannot close the script element that holds it.

    Examples
    --------
    >>> json_for_script("</script>")
    '"\\\\u003c/script>"'
    """
    return json.dumps(value, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")


@dataclass(frozen=True, eq=False)
class _ScanView:
    """The clustered scan: mesh, distance (N,) to the completed face, colours (N, 3), (N, 0) where it has none."""

    mesh: Mesh
    distance: Floats
    colors: Floats


def _scan(data: DisplayData) -> _ScanView:
    scan_colors = data.result.context.scan.mm.mesh.colors
    mesh, values = _clustered(data.scan, _with_colors(data.scan.vertices, scan_colors), MAX_SCAN_FACES)
    points, scan_colors = values[:, :3], values[:, 3:]
    return _ScanView(mesh, Surface(data.face).closest(points).distance, scan_colors)


@dataclass(frozen=True, eq=False)
class _PatchView:
    """The clustered patch: mesh, sigma (P,), provenance (P,), and colours (P, 3), (P, 0) where it has none."""

    mesh: Mesh
    sigma_mm: Floats
    provenance: Floats
    colors: Floats


def _patch(data: DisplayData) -> _PatchView:
    merged, is_added = data.merged, data.result.context.stitched.added
    faces = merged.faces[(is_added[merged.faces]).any(axis=1)]
    if not len(faces):
        return _PatchView(Mesh(np.zeros((0, 3)), np.zeros((0, 3), int)), np.zeros(0), np.zeros(0), np.zeros((0, 0)))
    used, corner = np.unique(faces, return_inverse=True)
    provenance = _patch_provenance(data, used)
    values = np.stack([data.result.merged_sigma_mm[used], provenance], axis=1)
    mesh, vertex_colors = Mesh(merged.vertices[used], corner.reshape(-1, 3)), data.result.merged.colors
    values = _with_colors(values, None if vertex_colors is None else vertex_colors[used])
    mesh, values = _clustered(mesh, values, MAX_PATCH_FACES)
    return _PatchView(mesh, values[:, 0], values[:, 1], values[:, 2:])


def _patch_provenance(data: DisplayData, used: Ints) -> Floats:
    """Provenance (P,) of the patch's vertices `used`: a vertex of the rim is observed, but its triangle is not."""
    merged, is_rim = data.merged, ~data.result.context.stitched.added[used]
    provenance = data.merged_provenance[used].astype(float)
    provenance[is_rim] = Provenance.MODEL
    if not is_rim.all():
        nearest = cKDTree(merged.vertices[used[~is_rim]]).query(merged.vertices[used[is_rim]])[1]
        provenance[is_rim] = provenance[~is_rim][nearest]
    return provenance


def _with_colors(values: Floats, vertex_colors: Floats | None) -> Floats:
    return values if vertex_colors is None else np.concatenate([values, np.nan_to_num(vertex_colors)], axis=1)


def _packed_colors(vertex_colors: Floats) -> dict[str, str] | None:
    """Colours (V, 3) as bytes, None where there are none."""
    if not vertex_colors.shape[1]:
        return None
    return _array(np.rint(255 * np.clip(vertex_colors, 0, 1)).astype(np.uint8))


def _clustered(mesh: Mesh, values: Floats, max_faces: int) -> tuple[Mesh, Floats]:
    """A mesh of at most `max_faces` by vertex clustering, and the values (V, K) of one vertex of each cluster."""
    original, original_values = mesh, values
    # a square of the grid holds two triangles
    cell = FIRST_CELL * np.sqrt(2 * face_areas(mesh).sum() / max_faces)
    while len(mesh.faces) > max_faces:
        grid = VertexGrid(original.vertices, cell_mm=cell)
        mesh, values = grid.cluster(original), original_values[grid.representative]
        cell *= CELL_GROWTH
    return mesh, values


def _packed(mesh: Mesh, step_mm: float) -> dict[str, Any]:
    kind = np.uint16 if len(mesh.vertices) < 2**16 else np.uint32
    return {
        "xyz": _array(np.round(mesh.vertices / step_mm).astype(np.int16)),
        "faces": _array(mesh.faces.astype(kind)),
    }


def _quantised(values: Floats, high: float, shown: Any = True) -> dict[str, str]:
    level = np.round(np.clip(values / high, 0, 1) * LEVELS)
    return _array(np.where(shown, level, NO_LEVEL).astype(np.uint8))


def _array(values: np.ndarray) -> dict[str, str]:
    little = np.ascontiguousarray(values, values.dtype.newbyteorder("<"))
    return {"type": f"{values.dtype.kind}{values.dtype.itemsize}", "data": base64.b64encode(little.tobytes()).decode()}
