"""Small pictures of surfaces for a page, rendered without a display."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from facecom.drawing import colors
from facecom.drawing.shading import Frame, Image, MeshRenderer, ViewDirection
from facecom.errors import need
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.report.display_data import PROVENANCE_COLORS, DisplayData


@dataclass(frozen=True)
class Picture:
    """A picture of a page.

    jpeg : bytes; caption : what it shows; scale : legend of its colours, or None
    """

    jpeg: bytes
    caption: str
    scale: str | None = None

    @property
    def uri(self) -> str:
        """The picture as a data URI."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode()


PICTURE_SIZE, JPEG_QUALITY = 300, 85
"""Pixels a side, and quality: a report of some thirty pictures stays small enough for mail."""
FRAME_MARGIN = 1.15
"""Part of the surroundings of the face proper that a picture shows."""


@dataclass(frozen=True, eq=False)
class PictureRenderer:
    """Renders meshes of one completion, all in the same frame and from the same direction."""

    frame: Frame
    view: ViewDirection
    _renderers: dict[int, tuple[Mesh, MeshRenderer]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, data: DisplayData, *, size: int = PICTURE_SIZE) -> PictureRenderer:
        """Show the face proper, from the side with more made-up area."""
        frame = Frame.around(data.face.vertices[data.face_mask], size=size)
        return cls(replace(frame, half_mm=FRAME_MARGIN * frame.half_mm), data.view)

    def plain(self, mesh: Mesh, caption: str) -> Picture:
        """The surface without values."""
        return Picture(jpeg_bytes(self._draw(mesh, colors.PLAIN)), caption)

    def provenance(self, mesh: Mesh, provenance: np.ndarray, caption: str) -> Picture:
        """The surface in the colours of the provenance (V,) of its vertices."""
        return Picture(jpeg_bytes(self._draw(mesh, np.asarray(PROVENANCE_COLORS)[provenance])), caption)

    def painted(self, mesh: Mesh, vertex_colors: Floats, caption: str) -> Picture:
        """The surface in given colours, (V, 3) in 0..1."""
        return Picture(jpeg_bytes(self._draw(mesh, np.nan_to_num(vertex_colors))), caption)

    def heat(
        self, mesh: Mesh, values: Floats, caption: str, *, shown: Bools | None = None, high: float | None = None
    ) -> Picture:
        """Lengths (V,) of at least zero as colours, light for small ones; the scale ends at `high`, if given."""
        high = high or colors.scale_end(values if shown is None else values[shown])
        painted = colors.color_values(values, colors.SEQUENTIAL, low=0.0, high=high, shown=shown)
        return Picture(jpeg_bytes(self._draw(mesh, painted)), caption, f"light 0, dark {high:g} mm and more")

    def signed(self, mesh: Mesh, values: Floats, caption: str, *, shown: Bools | None = None) -> Picture:
        """Offsets (V,) as colours, blue inwards and red outwards."""
        high = colors.scale_end(np.abs(values if shown is None else values[shown]))
        painted = colors.color_values(values, colors.DIVERGING, low=-high, high=high, shown=shown)
        return Picture(jpeg_bytes(self._draw(mesh, painted)), caption, f"blue {high:g} mm inwards, red outwards")

    def change(self, mesh: Mesh, before: Floats, caption: str, *, span_mm: float) -> Picture:
        """Displacement of each vertex from `before` (V, 3) along its normal, blue inwards and red outwards."""
        normals = vertex_normals(before, mesh.faces)
        offset = np.einsum("vd,vd->v", mesh.vertices - before, normals)
        painted = colors.color_values(offset, colors.DIVERGING, low=-span_mm, high=span_mm)
        return Picture(jpeg_bytes(self._draw(mesh, painted)), caption)

    def _draw(self, mesh: Mesh, painted: ArrayLike) -> Image:
        """Render a mesh; its renderer is kept, so that the same mesh in other colours casts no new rays."""
        cached = self._renderers.get(id(mesh))
        if cached is None:
            cached = self._renderers[id(mesh)] = (mesh, MeshRenderer(mesh, pixel_mm=self.frame.pixel_mm))
        return cached[1].shade(painted, self.view, self.frame)


def jpeg_bytes(image: Image, *, quality: int = JPEG_QUALITY) -> bytes:
    """Encode a picture as JPEG: the same bytes for the same pixels.

    Examples
    --------
    >>> jpeg_bytes(np.zeros((8, 8, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    stream = io.BytesIO()
    need("PIL.Image").fromarray(image).save(stream, format="JPEG", quality=quality, optimize=True)
    return stream.getvalue()
