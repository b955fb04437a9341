"""Small pictures of each stage for a page, drawn without a display."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike

from facecom.errors import need
from facecom.geometry.mesh import Bools, Floats, Mesh, vertex_normals
from facecom.report import colors
from facecom.report.display_data import KIND_COLOURS, DisplayData
from facecom.report.shading import Drawing, Frame, Image, ViewDirection


@dataclass(frozen=True)
class Picture:
    """A picture in a page: JPEG bytes and what it shows, in words; scale : end of its colours, mm, or None."""

    jpeg: bytes
    caption: str
    scale: str | None = None

    @property
    def uri(self) -> str:
        """The picture as an address that needs no file."""
        return "data:image/jpeg;base64," + base64.b64encode(self.jpeg).decode()


@dataclass(frozen=True, eq=False)
class Painter:
    """Draws meshes of one completion, all at the same place and from the same side."""

    frame: Frame
    view: ViewDirection
    _drawn: dict[int, tuple[Mesh, Drawing]] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, layers: DisplayData, *, size: int = 300) -> Painter:
        """Show the face proper, from its more interesting side."""
        frame = Frame.around(layers.face.vertices[layers.proper], size=size)
        return cls(replace(frame, half=1.15 * frame.half), layers.view)

    def plain(self, mesh: Mesh, caption: str) -> Picture:
        """The bare surface."""
        return Picture(jpeg_bytes(self._draw(mesh, colors.PLAIN)), caption)

    def kinds(self, mesh: Mesh, kind: np.ndarray, caption: str) -> Picture:
        """The surface, what was made up in colour."""
        return Picture(jpeg_bytes(self._draw(mesh, np.asarray(KIND_COLOURS)[kind])), caption)

    def painted(self, mesh: Mesh, paint: Floats, caption: str) -> Picture:
        """The surface in colours of its own, (V, 3) in 0..1."""
        return Picture(jpeg_bytes(self._draw(mesh, np.nan_to_num(paint))), caption)

    def heat(self, mesh: Mesh, values: Floats, caption: str, *, shown: Bools | None = None) -> Picture:
        """Lengths of at least zero as colours, light is small; the scale ends at a round number."""
        high = _end(values, shown)
        painted = colors.colour_values(values, colors.SEQUENTIAL, low=0.0, high=high, shown=shown)
        return Picture(jpeg_bytes(self._draw(mesh, painted)), caption, f"light 0, dark {high:g} mm and more")

    def signed(self, mesh: Mesh, values: Floats, caption: str, *, shown: Bools | None = None) -> Picture:
        """Offsets as colours, blue inwards and red outwards."""
        high = _end(np.abs(values), shown)
        painted = colors.colour_values(values, colors.DIVERGING, low=-high, high=high, shown=shown)
        return Picture(jpeg_bytes(self._draw(mesh, painted)), caption, f"blue {high:g} mm inwards, red outwards")

    def change(self, mesh: Mesh, before: Floats, caption: str, *, span_mm: float) -> Picture:
        """How far each vertex lies outside of where it was, along its normal."""
        normals = vertex_normals(before, mesh.faces)
        offset = np.einsum("vd,vd->v", mesh.vertices - before, normals)
        painted = colors.colour_values(offset, colors.DIVERGING, low=-span_mm, high=span_mm)
        return Picture(jpeg_bytes(self._draw(mesh, painted)), caption)

    def _draw(self, mesh: Mesh, painted: ArrayLike) -> Image:
        """A mesh that is drawn again, in other colours, is looked at once."""
        kept = self._drawn.get(id(mesh))
        if kept is None:
            kept = self._drawn[id(mesh)] = (mesh, Drawing(mesh, pixel_mm=self.frame.pixel_mm))
        return kept[1].shade(painted, self.view, self.frame)


def jpeg_bytes(image: Image, *, quality: int = 85) -> bytes:
    """Encode a picture as JPEG: the same bytes for the same pixels.

    Examples
    --------
    >>> jpeg_bytes(np.zeros((8, 8, 3), np.uint8))[:2].hex()
    'ffd8'
    """
    stream = io.BytesIO()
    need("PIL.Image").fromarray(image).save(stream, format="JPEG", quality=quality, optimize=True)
    return stream.getvalue()


def _end(values: Floats, shown: Bools | None) -> float:
    kept = values if shown is None else values[shown]
    return colors.round_up(float(np.percentile(kept, 98))) if len(kept) else 1.0
