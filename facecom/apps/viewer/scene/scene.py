"""The scene of a session: coloured meshes in the displayed frame, mm. Values, no page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from facecom.apps.viewer.scene.glb import glb_bytes
from facecom.apps.viewer.session.session import Session
from facecom.completion import Completion
from facecom.drawing import colors
from facecom.drawing.colors import RGB
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh, vertex_normals
from facecom.provenance import Provenance
from facecom.report.display_data import PROVENANCE_COLORS, PROVENANCE_LABELS, DisplayData
from facecom.report.viewer3d import MAX_SHOWN_DISTANCE_MM

Layer = Literal["provenance", "sigma", "distance", "detail", "colour", "plain"]
LAYERS: tuple[Layer, ...] = ("provenance", "sigma", "distance", "detail", "colour", "plain")
SurfaceChoice = Literal["scan and patch", "whole face"]
SURFACES: tuple[SurfaceChoice, ...] = ("scan and patch", "whole face")

MISSING_COLOR = colors.MODEL
MARKED_COLOR = (0.80, 0.15, 0.45)
KEPT_OPEN_COLOR = (0.45, 0.66, 0.86)
PROSTHESIS_COLOR = (0.62, 0.78, 0.70)
COLOR_NAMES = ("grey", "blue", "orange", "green", "violet")
"""What `PROVENANCE_COLORS` are called in a legend."""
UNAVAILABLE_LAYER = {
    "detail": "no skin relief was synthesised; tick it and complete again, or choose another layer",
    "colour": "the scan has no colours; choose another layer",
}
SCAN_LEGEND = "**grey** scan · **orange** found missing · **purple** marked as missing · **blue** to stay open"
DETAIL_LEGEND = "**violet** synthesised skin relief · **grey** observed"
COLOR_LEGEND = "the scan's colours; on the made-up part they are filled in from the rim and the other side"
PLAIN_LEGEND = "no layer: the surface as it is"
OUTDATED_LEGEND = "**made with earlier marks; complete again to use those of now** · "
MARK_OFFSET_MM, ERASED_OFFSET_MM, DETAIL_OFFSET_MM = 0.4, 0.6, 0.05
"""Offsets of overlays along the normals, so that they cover what is below: marks, erased marks, and skin detail,
whose border lies on the scan."""


@dataclass(frozen=True, eq=False)
class PaintedMesh:
    """A mesh with a colour for each vertex.

    mesh : Mesh, mm; colors : (V, 3) in 0..1; normals : (V, 3)
    """

    mesh: Mesh
    colors: Floats
    normals: Floats

    @classmethod
    def of(cls, mesh: Mesh, vertex_colors: RGB | Floats) -> PaintedMesh:
        """Colour a mesh with one colour, or with one for each vertex."""
        wide = np.broadcast_to(np.asarray(vertex_colors, float), mesh.vertices.shape)
        return cls(mesh, wide, vertex_normals(mesh.vertices, mesh.faces))

    def submesh(self, faces: Bools) -> PaintedMesh:
        """Some of the faces (F,), with the normals of the whole, so that no seam shows."""
        mesh, index = self.mesh.submesh(faces)
        return PaintedMesh(mesh, self.colors[index], self.normals[index])

    def offset(self, distance_mm: float) -> PaintedMesh:
        """The mesh moved along its normals."""
        moved = self.mesh.with_vertices(self.mesh.vertices + distance_mm * self.normals)
        return PaintedMesh(moved, self.colors, self.normals)

    def glb(self) -> bytes:
        """The mesh as a GLB file."""
        return glb_bytes(self.mesh.vertices, self.mesh.faces, self.normals, self.colors)


@dataclass(frozen=True, eq=False)
class PaintedScene:
    """Coloured meshes by name, and the legend of their colours."""

    meshes: dict[str, PaintedMesh]
    legend: str


def scan_scene(session: Session) -> PaintedScene:
    """The scan with its detected missing region, the part of that to keep open, and the marked vertices."""
    if session.scan is None:
        return PaintedScene({}, "")
    whole = paintable_mesh(session)
    is_scan = np.arange(len(whole.mesh.vertices)) < len(session.scan.vertices)
    scan_faces = np.asarray(is_scan[whole.mesh.faces].all(axis=1))
    meshes = {"scan": whole.submesh(scan_faces)}
    if not scan_faces.all():
        meshes["missing"] = whole.submesh(~scan_faces)
    in_region = np.zeros(np.count_nonzero(~is_scan), bool)
    marked = overlay(whole, np.append(session.marks.missing, in_region), MARKED_COLOR)
    if marked is not None:
        meshes["marked"] = marked
    return PaintedScene(meshes, SCAN_LEGEND)


def paintable_mesh(session: Session) -> PaintedMesh:
    """The mesh that the brush paints on: the scan's vertices in their order, then those of the missing region."""
    mesh = displayed_scan(session)
    scan_colors = np.broadcast_to(colors.OBSERVED, mesh.vertices.shape) if mesh.colors is None else mesh.colors
    scan = PaintedMesh.of(mesh, np.nan_to_num(scan_colors))
    missing = session.displayed_region
    if missing is None:
        return scan
    region_colors = np.where(session.marks.kept_open[:, None], KEPT_OPEN_COLOR, MISSING_COLOR)
    region = PaintedMesh.of(missing, region_colors)
    faces = np.concatenate([mesh.faces, region.mesh.faces + len(mesh.vertices)])
    both = Mesh(np.concatenate([mesh.vertices, region.mesh.vertices]), faces)
    vertex_colors = np.concatenate([scan.colors, region.colors])
    return PaintedMesh(both, vertex_colors, np.concatenate([scan.normals, region.normals]))


def overlay(whole: PaintedMesh, touched: Bools, color: RGB | None) -> PaintedMesh | None:
    """The faces at touched vertices (V,), a little above the mesh; in the mesh's own colours without a `color`."""
    chosen = np.asarray(touched[whole.mesh.faces].any(axis=1))
    if not chosen.any():
        return None
    part = whole.submesh(chosen)
    if color is None:
        return part.offset(ERASED_OFFSET_MM)
    recolored = PaintedMesh(part.mesh, np.broadcast_to(color, part.mesh.vertices.shape), part.normals)
    return recolored.offset(MARK_OFFSET_MM)


def displayed_scan(session: Session) -> Mesh:
    """The scan in the displayed frame; vertices that are not finite lie at its centre, and no face has one.

    Raises
    ------
    ValueError
        When there is no scan.
    """
    if session.scan is None:
        raise ValueError("there is no scan yet; upload one")
    finite = np.asarray(np.isfinite(session.scan.vertices).all(axis=1))
    points = np.where(finite[:, None], session.scan.vertices, session.scan.vertices[finite].mean(axis=0))
    faces = session.scan.faces[finite[session.scan.faces].all(axis=1)]
    return Mesh(session.to_display.apply(points), faces, colors=session.scan.colors)


def available_layers(completion: Completion) -> tuple[Layer, ...]:
    """The layers that a completion has."""
    missing = {"detail": completion.detail is None, "colour": completion.merged.colors is None}
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
    for k, prosthesis in enumerate(session.displayed_prostheses):
        mesh = prosthesis.shell.with_vertices(prosthesis.to_face.apply(prosthesis.shell.vertices))
        out[f"prosthesis {k + 1}"] = PaintedMesh.of(mesh, PROSTHESIS_COLOR)
    return out
