"""What is to be seen of a session: painted surfaces in the frame that is shown, mm. Values, no page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from facecom.apps.viewer.scene.glb import glb_bytes
from facecom.apps.viewer.session.session import Session
from facecom.completion import Completion
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.report import colors
from facecom.report.display_data import KIND_COLOURS, KIND_NAMES, DisplayData

Layer = Literal["provenance", "sigma", "distance", "detail", "colour", "plain"]
LAYERS: tuple[Layer, ...] = ("provenance", "sigma", "distance", "detail", "colour", "plain")
Body = Literal["scan and patch", "whole face"]
BODIES: tuple[Body, ...] = ("scan and patch", "whole face")

MISSING = (0.93, 0.56, 0.25)
MARKED = (0.80, 0.15, 0.45)
SPARED = (0.45, 0.66, 0.86)
"""What was found missing and is to stay open."""
LACKING = {
    "detail": "no skin relief was made; tick it and complete again, or choose another layer",
    "colour": "the scan carries no colours; choose another layer",
}
FILLED = "the scan's colours; on what was made they are filled in from the rim and the other side"
PART = (0.62, 0.78, 0.70)


@dataclass(frozen=True, eq=False)
class Painted:
    """A surface with a colour for each vertex.

    mesh : Mesh, mm; colours : (V, 3) in 0..1; normals : (V, 3)
    """

    mesh: Mesh
    colors: Floats
    normals: Floats

    @classmethod
    def of(cls, mesh: Mesh, paint: tuple[float, float, float] | Floats) -> Painted:
        """One colour for all, or one for each vertex."""
        wide = np.broadcast_to(np.asarray(paint, float), mesh.vertices.shape)
        return cls(mesh, wide, vertex_normals(mesh.vertices, mesh.faces))

    def part(self, faces: Bools) -> Painted:
        """Some of the faces (F,), shaded as in the whole, so that no seam is seen."""
        mesh, index = self.mesh.submesh(faces)
        return Painted(mesh, self.colors[index], self.normals[index])

    def lifted(self, mm: float) -> Painted:
        """The same a little off the surface, so that it covers what it was taken from."""
        return Painted(self.mesh.with_vertices(self.mesh.vertices + mm * self.normals), self.colors, self.normals)

    def glb(self) -> bytes:
        """As a file for the page."""
        return glb_bytes(self.mesh.vertices, self.mesh.faces, self.normals, self.colors)


@dataclass(frozen=True, eq=False)
class PaintedScene:
    """Surfaces by name, and what their colours mean."""

    surfaces: dict[str, Painted]
    legend: str


def scan_view(session: Session) -> PaintedScene:
    """The scan, what was found missing, what of it is to stay open, and what is marked."""
    if session.scan is None:
        return PaintedScene({}, "")
    sheet = canvas(session)
    own = np.arange(len(sheet.mesh.vertices)) < len(session.scan.vertices)
    there = np.asarray(own[sheet.mesh.faces].all(axis=1))
    surfaces = {"scan": sheet.part(there)} | ({} if there.all() else {"missing": sheet.part(~there)})
    marked = stroke(sheet, np.append(session.marked, np.zeros(np.count_nonzero(~own), bool)), MARKED)
    legend = "**grey** scan · **orange** found missing · **purple** marked as missing · **blue** to stay open"
    return PaintedScene(surfaces | ({} if marked is None else {"marked": marked}), legend)


def canvas(session: Session) -> Painted:
    """What can be painted on: the scan's vertices in their order, and behind them those of what was found missing."""
    whole = shown_scan(session)
    paint = np.broadcast_to(colors.MEASURED, whole.vertices.shape) if whole.colors is None else whole.colors
    scan = Painted.of(whole, np.nan_to_num(paint))
    if session.found is None or not len(session.found.missing.faces):
        return scan
    found = Painted.of(session.found.missing, np.where(session.spared[:, None], SPARED, MISSING))
    faces = np.concatenate([whole.faces, found.mesh.faces + len(whole.vertices)])
    both = Mesh(np.concatenate([whole.vertices, found.mesh.vertices]), faces)
    paint, normals = (np.concatenate([getattr(part, name) for part in (scan, found)]) for name in ("colors", "normals"))
    return Painted(both, paint, normals)


def stroke(sheet: Painted, touched: Bools, paint: tuple[float, float, float] | None) -> Painted | None:
    """What a stroke has touched of a canvas (V,), a little above it; in the canvas' own colours without a paint."""
    chosen = np.asarray(touched[sheet.mesh.faces].any(axis=1))
    if not chosen.any():
        return None
    part = sheet.part(chosen)
    own = part.colors if paint is None else np.broadcast_to(paint, part.mesh.vertices.shape)
    return Painted(part.mesh, own, part.normals).lifted(0.6 if paint is None else 0.4)


def shown_scan(session: Session) -> Mesh:
    """The scan in the frame that is shown; vertices without a place lie in its middle, and no face has one."""
    if session.scan is None:
        raise ValueError("there is no scan yet; upload one")
    sound = np.asarray(np.isfinite(session.scan.vertices).all(axis=1))
    points = np.where(sound[:, None], session.scan.vertices, session.scan.vertices[sound].mean(axis=0))
    faces = session.scan.faces[sound[session.scan.faces].all(axis=1)]
    return Mesh(session.to_display.apply(points), faces, colors=session.scan.colors)


def layers_of(face: Completion) -> tuple[Layer, ...]:
    """The layers that a completion has."""
    lacking = {"detail": face.detail is None, "colour": face.merged.colors is None}
    return tuple(layer for layer in LAYERS if not lacking.get(layer))


def result_view(session: Session, layer: Layer, body: Body) -> PaintedScene:
    """The completion that is shown, painted with a layer, and the prostheses.

    Raises
    ------
    ValueError
        When there is no result, or the layer was not made.
    """
    face = session.shown
    if face is None:
        raise ValueError("there is no result yet; complete the scan first")
    if layer not in layers_of(face):
        raise ValueError(LACKING[layer])
    if layer == "detail":
        surfaces, legend = _detail(face)
    elif body == "whole face":
        paint, legend = _face_paint(face, layer)
        surfaces = {"face": Painted.of(DisplayData(face).face, paint)}
    else:
        paint, legend = _merged_paint(face, layer)
        painted = Painted.of(DisplayData(face).merged, paint)
        made = np.arange(len(painted.mesh.faces)) >= len(face.scan.faces)
        surfaces = {"scan": painted.part(~made)} | ({"patch": painted.part(made)} if made.any() else {})
    parts = _parts(session)
    if parts:
        surfaces.pop("patch", None)  # the part stands in its place
    return PaintedScene(surfaces | parts, legend)


def _merged_paint(face: Completion, layer: Layer) -> tuple[Floats, str]:
    own, count = DisplayData(face), len(face.merged.vertices)
    if layer == "provenance":
        return np.asarray(KIND_COLOURS)[own.merged_kind], _kinds(own)
    if layer == "sigma":
        return _heat(face.merged_sigma_mm, np.ones(count, bool), "standard deviation")
    if layer == "distance":
        scanned = np.arange(count) < len(face.scan.vertices)
        gap = np.zeros(count)
        gap[scanned] = Surface(own.face).closest(own.merged.vertices[scanned]).distance
        # what lies farther off is hair, a collar or the neck
        return _heat(gap, scanned & (gap < 5.0), "distance of scan and whole face")
    if layer == "colour" and face.merged.colors is not None:
        return np.nan_to_num(face.merged.colors), FILLED
    return np.broadcast_to(colors.PLAIN, (count, 3)), "no layer: the surface as it is"


def _face_paint(face: Completion, layer: Layer) -> tuple[Floats, str]:
    own, count = DisplayData(face), len(face.face.vertices)
    if layer == "provenance":
        return np.asarray(KIND_COLOURS)[own.kind], _kinds(own)
    if layer == "sigma":
        return _heat(face.sigma_mm, np.ones(count, bool), "standard deviation")
    if layer == "distance":
        return _heat(own.face_to_scan, own.measured, "distance of whole face and scan")
    if layer == "colour" and face.face.colors is not None:
        return face.face.colors, FILLED
    return np.broadcast_to(colors.PLAIN, (count, 3)), "no layer: the surface as it is"


def _detail(face: Completion) -> tuple[dict[str, Painted], str]:
    relief = face.context.detail
    if relief is None:
        raise ValueError(LACKING["detail"])
    made = relief.provenance > 0
    skin = Painted.of(relief.mesh, np.where(made[:, None], colors.MADE_SYNTHESISED, colors.MEASURED))
    # its border lies on the scan
    surfaces = {"scan": Painted.of(DisplayData(face).scan, colors.MEASURED), "detail": skin.lifted(0.05)}
    return surfaces, "**violet** skin relief that was made · **grey** measured"


def _heat(values: Floats, where: Bools, what: str) -> tuple[Floats, str]:
    known = values[where]
    high = colors.round_up(float(np.percentile(known, 98))) if len(known) else 1.0
    paint = colors.colour_values(values, colors.SEQUENTIAL, low=0.0, high=high, shown=where)
    return paint, f"{what}: light 0 mm, dark {high:g} mm and more" + ("" if where.all() else "; grey: none")


def _kinds(own: DisplayData) -> str:
    words = ("grey", "blue", "orange", "green", "violet")
    return " · ".join(f"**{words[k]}** {KIND_NAMES[k]}" for k in own.kinds)


def _parts(session: Session) -> dict[str, Painted]:
    out = {}
    for k, part in enumerate(session.parts):
        mesh = part.shell.with_vertices(part.to_face.apply(part.shell.vertices))
        out[f"prosthesis {k + 1}"] = Painted.of(mesh, PART)
    return out
