"""The result of a session: the completion coloured by a layer, and the parts. Values, no page."""

from __future__ import annotations

from typing import Literal, get_args

import numpy as np

from facecom.apps.viewer.scene.painted_mesh import PaintedMesh, PaintedScene
from facecom.apps.viewer.session.session import Session
from facecom.completion import Completion
from facecom.drawing import colors
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints
from facecom.provenance import Provenance
from facecom.report.display_data import PROVENANCE_COLORS, PROVENANCE_LABELS, DisplayData
from facecom.report.viewer3d import MAX_SHOWN_DISTANCE_MM

Layer = Literal["provenance", "sigma", "distance", "defect", "detail", "colour", "plain"]
LAYERS: tuple[Layer, ...] = get_args(Layer)
SurfaceChoice = Literal["scan and patch", "whole face"]
SURFACES: tuple[SurfaceChoice, ...] = ("scan and patch", "whole face")

DEFECT_COLOR, DOUBTED_COLOR = (0.78, 0.16, 0.12), (0.05, 0.52, 0.48)
PROSTHESIS_COLOR = (0.62, 0.78, 0.70)
COLOR_NAMES = ("grey", "blue", "orange", "green", "violet")
"""What `PROVENANCE_COLORS` are called in a legend."""
UNAVAILABLE_LAYER = {
    "detail": "no skin relief was synthesised; tick it and complete again, or choose another layer",
    "colour": "the scan has no colours; choose another layer",
    "defect": "nothing of the scan was left out or doubted; choose another layer",
}
DEFECT_LEGEND = "the scan: **red** left out as no face · **teal** kept and not believed · **grey** believed"
DETAIL_LEGEND = "**violet** synthesised skin relief · **grey** observed"
COLOR_LEGEND = "the scan's colours; on the made-up part they are filled in from the rim and the other side"
PLAIN_LEGEND = "no layer: the surface as it is"
OUTDATED_LEGEND = "**made with earlier marks; complete again to use those of now** · "
DETAIL_OFFSET_MM = 0.05
"""Offset of skin detail along the normals: its border lies on the scan."""


def available_layers(completion: Completion) -> tuple[Layer, ...]:
    """The layers that a completion has."""
    scan = completion.context.scan
    missing = {
        "defect": not (len(scan.defect.faces) or scan.doubted.any()),
        "detail": completion.detail is None,
        "colour": completion.merged.colors is None,
    }
    return tuple(layer for layer in LAYERS if not missing.get(layer))


def result_scene(session: Session, layer: Layer, surface: SurfaceChoice) -> PaintedScene:
    """The displayed completion, coloured by a layer, and the prostheses.

    Raises
    ------
    ValueError
        When there is no result, or it lacks the layer.
    """
    completion = session.displayed
    if completion is None:
        raise ValueError("there is no result yet; complete the scan first")
    if layer not in available_layers(completion):
        raise ValueError(UNAVAILABLE_LAYER[layer])
    if layer == "detail":
        meshes, legend = _detail_meshes(completion)
    elif layer == "defect":
        meshes, legend = _defect_meshes(completion)
    elif surface == "whole face":
        vertex_colors, legend = _face_colors(completion, layer)
        meshes = {"face": PaintedMesh.of(DisplayData(completion).face, vertex_colors)}
    else:
        meshes, legend = _merged_meshes(completion, layer)
    prostheses = _prosthesis_meshes(session)
    if prostheses:
        meshes.pop("patch", None)  # the prosthesis covers it
    return PaintedScene(meshes | prostheses, (OUTDATED_LEGEND if session.outdated else "") + legend)


def _merged_meshes(completion: Completion, layer: Layer) -> tuple[dict[str, PaintedMesh], str]:
    vertex_colors, legend = _merged_colors(completion, layer)
    merged = PaintedMesh.of(DisplayData(completion).merged, vertex_colors)
    is_patch = np.arange(len(merged.mesh.faces)) >= len(completion.scan.faces)
    meshes = {"scan": merged.submesh(~is_patch)}
    return meshes | ({"patch": merged.submesh(is_patch)} if is_patch.any() else {}), legend


def _merged_colors(completion: Completion, layer: Layer) -> tuple[Floats, str]:
    data, count = DisplayData(completion), len(completion.merged.vertices)
    if layer == "provenance":
        return np.asarray(PROVENANCE_COLORS)[data.merged_provenance], _provenance_legend(data)
    if layer == "sigma":
        return _sigma_colors(completion.merged_sigma_mm, completion.merged_provenance)
    if layer == "distance":
        is_scan = np.arange(count) < len(completion.scan.vertices)
        distance = np.zeros(count)
        distance[is_scan] = Surface(data.face).closest(data.merged.vertices[is_scan]).distance
        return _heat_colors(distance, is_scan & (distance < MAX_SHOWN_DISTANCE_MM), "distance of scan and whole face")
    if layer == "colour" and completion.merged.colors is not None:
        return np.nan_to_num(completion.merged.colors), COLOR_LEGEND
    return np.broadcast_to(colors.PLAIN, (count, 3)), PLAIN_LEGEND


def _face_colors(completion: Completion, layer: Layer) -> tuple[Floats, str]:
    data, count = DisplayData(completion), len(completion.face.vertices)
    if layer == "provenance":
        return np.asarray(PROVENANCE_COLORS)[data.provenance], _provenance_legend(data)
    if layer == "sigma":
        return _sigma_colors(completion.sigma_mm, completion.provenance)
    if layer == "distance":
        return _heat_colors(data.face_to_scan, data.observed, "distance of whole face and scan")
    if layer == "colour" and completion.face.colors is not None:
        return completion.face.colors, COLOR_LEGEND
    return np.broadcast_to(colors.PLAIN, (count, 3)), PLAIN_LEGEND


def _detail_meshes(completion: Completion) -> tuple[dict[str, PaintedMesh], str]:
    detail = completion.context.detail
    if detail is None:
        raise ValueError(UNAVAILABLE_LAYER["detail"])
    made_up = detail.provenance != Provenance.OBSERVED
    skin_colors = np.where(made_up[:, None], colors.SYNTHESISED, colors.OBSERVED)
    skin = PaintedMesh.of(detail.mesh, skin_colors)
    scan = PaintedMesh.of(DisplayData(completion).scan, colors.OBSERVED)
    return {"scan": scan, "detail": skin.offset(DETAIL_OFFSET_MM)}, DETAIL_LEGEND


def _defect_meshes(completion: Completion) -> tuple[dict[str, PaintedMesh], str]:
    """The scan as it was believed, and what was left out of it, in its place."""
    scan = completion.context.scan
    whole = PaintedMesh.of(DisplayData(completion).scan, colors.OBSERVED)
    meshes = {"scan": whole.submesh(~scan.doubted)}
    if scan.doubted.any():
        strip = whole.submesh(scan.doubted)
        meshes["doubted"] = PaintedMesh(strip.mesh, np.broadcast_to(DOUBTED_COLOR, strip.colors.shape), strip.normals)
    if len(scan.defect.faces):
        bed = scan.defect_mm
        placed = bed.with_vertices(completion.context.fit.pose.apply(bed.vertices))
        meshes["defect"] = PaintedMesh.of(placed, DEFECT_COLOR)
    return meshes, DEFECT_LEGEND


def _sigma_colors(sigma_mm: Floats, provenance: Ints) -> tuple[Floats, str]:
    high = colors.sigma_scale_end(sigma_mm, provenance)
    return _heat_colors(sigma_mm, np.ones(len(sigma_mm), bool), "standard deviation", high=high)


def _heat_colors(values: Floats, where: Bools, quantity: str, *, high: float | None = None) -> tuple[Floats, str]:
    """Colours of the values at some vertices (V,), on a scale that ends at `high`, or above nearly all of them."""
    high = high or colors.scale_end(values[where])
    vertex_colors = colors.color_values(values, colors.SEQUENTIAL, low=0.0, high=high, shown=where)
    legend = f"{quantity}: light 0 mm, dark {high:g} mm and more"
    return vertex_colors, legend + ("" if where.all() else "; grey: no value")


def _provenance_legend(data: DisplayData) -> str:
    return " · ".join(f"**{COLOR_NAMES[kind]}** {PROVENANCE_LABELS[kind]}" for kind in data.present_provenance)


def _prosthesis_meshes(session: Session) -> dict[str, PaintedMesh]:
    out = {}
    parts = session.displayed_prostheses
    for k, shell in enumerate(() if parts is None else parts.shells):
        out[f"prosthesis {k + 1}"] = PaintedMesh.of(shell, PROSTHESIS_COLOR)
    return out
