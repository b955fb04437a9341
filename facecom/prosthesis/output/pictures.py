"""Pictures of a part: shaded views, wall thickness in colour, and sections through it."""

from __future__ import annotations

from typing import Any

import numpy as np

from facecom.errors import need
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Ints, Mesh, unit, vertex_normals

Color = tuple[int, int, int]

PNG_LEVEL = 7
"""Of zlib, for pictures of parts."""
SECTION_VIEW = 0.55
"""Half the side of the square that a section is shown in, in sizes of what is shown."""

_LIGHT = unit(np.array([-0.35, 0.5, 0.8]))
_AMBIENT, _DIFFUSE = 0.25, 0.75
_SKIN = np.array([0.86, 0.80, 0.76])
_FITTED_VIEW = 0.53
_THICKNESS_STOPS = np.array([[0.75, 0.10, 0.15], [0.98, 0.80, 0.25], [0.55, 0.85, 0.55], [0.20, 0.40, 0.75]])
_PROVENANCE = np.array(
    [
        [0.80, 0.80, 0.78],  # observed: grey
        [0.35, 0.62, 0.86],  # mirrored: blue
        [0.93, 0.62, 0.35],  # model: orange
        [0.36, 0.72, 0.55],  # guided: green
        [0.72, 0.50, 0.78],  # synthesised: violet
        [0.95, 0.95, 0.95],  # -1, not on the outer face: white
    ]
)
_CAPTION_PX = 18


def shaded(mesh: Mesh, axes: Floats, *, size: int, colors: Floats | None = None, half: float | None = None) -> Any:
    """Draw a mesh on white, (size, size, 3) uint8: an orthographic view by ray casting.

    Parameters
    ----------
    mesh : Mesh, mm
    axes : (3, 3) float, rows: image right, image up, towards the viewer
    size : pixels a side
    colors : (V, 3) float in 0..1
    half : half the side of the square shown, mm; all of the mesh unless given
    """
    local = mesh.vertices @ axes.T
    pixels = _pixel_rays(local, size, half)
    hits = Surface(Mesh(local, mesh.faces)).cast(pixels, np.broadcast_to([0.0, 0.0, -1.0], pixels.shape))
    hit = np.flatnonzero(hits.faces >= 0)
    corners, weights = mesh.faces[hits.faces[hit]], hits.barycentric[hit, :, None]
    normals = unit((vertex_normals(local, mesh.faces)[corners] * weights).sum(1))
    base = np.broadcast_to(_SKIN, (len(hit), 3)) if colors is None else (colors[corners] * weights).sum(1)
    light = _AMBIENT + _DIFFUSE * np.clip(np.abs(normals @ _LIGHT), 0, 1)
    flat = np.full((size * size, 3), 255, np.uint8)
    flat[hit] = np.round(255 * np.clip(base * light[:, None], 0, 1))
    return flat.reshape(size, size, 3)


def _pixel_rays(vertices: Floats, size: int, half: float | None) -> Floats:
    """Where the rays of the pixels start, (size * size, 3), over the middle of vertices in the viewer's axes."""
    low, high = vertices.min(0), vertices.max(0)
    centre = 0.5 * (low + high)
    reach = half or _FITTED_VIEW * float((high - low)[:2].max())
    ticks = (np.arange(size) + 0.5) / size * 2 * reach - reach
    x, y = np.meshgrid(ticks, -ticks)
    return np.stack([x.ravel() + centre[0], y.ravel() + centre[1], np.full(x.size, high[2] + 10.0)], axis=1)


def yawed(axes: Floats, angle: float) -> Floats:
    """The axes, as for `shaded`, rotated about the image's upright by an angle in radians."""
    c, s = np.cos(angle), np.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]]) @ axes


def thickness_colors(values: Floats, *, top: float) -> Floats:
    """Colours from red (0) over yellow and green to blue (`top` and more), (N, 3)."""
    stops = _THICKNESS_STOPS
    place = np.clip(values / top, 0, 1) * (len(stops) - 1)
    low = np.minimum(place.astype(int), len(stops) - 2)
    share = (place - low)[:, None]
    return stops[low] * (1 - share) + stops[low + 1] * share


def provenance_colors(provenance: Ints) -> Floats:
    """A colour for each `Provenance`, and white for -1, (V, 3) float in 0..1."""
    return _PROVENANCE[np.asarray(provenance)]


def section(mesh: Mesh, origin: Floats, normal: Floats) -> Floats:
    """Segments in which a plane, given by a point and its normal, cuts a mesh, (S, 2, 3).

    Examples
    --------
    >>> tile = Mesh([[0, 0, 0], [2, 0, 0], [0, 2, 0]], [[0, 1, 2]])
    >>> section(tile, np.array([1.0, 0, 0]), np.array([1.0, 0, 0])).shape
    (1, 2, 3)
    """
    height = (mesh.vertices - origin) @ normal
    # A vertex in the plane counts as above it.
    height = np.where(np.abs(height) < 1e-9, 1e-9, height)
    above = height[mesh.faces] > 0
    cut = np.flatnonzero((above.sum(1) == 1) | (above.sum(1) == 2))
    lone = np.where(above[cut].sum(1) == 1, above[cut].argmax(1), (~above[cut]).argmax(1))
    rows = np.arange(len(cut))
    ends = []
    for k in (1, 2):
        a, b = mesh.faces[cut][rows, lone], mesh.faces[cut][rows, (lone + k) % 3]
        share = (height[a] / (height[a] - height[b]))[:, None]
        ends.append(mesh.vertices[a] + share * (mesh.vertices[b] - mesh.vertices[a]))
    return np.stack(ends, axis=1)


def draw_section(layers: list[tuple[Mesh, Color]], origin: Floats, axes: Floats, *, half: float, size: int) -> Any:
    """Draw where the plane through a point cuts some meshes, (size, size, 3) uint8.

    Parameters
    ----------
    layers : meshes and their colours, from back to front
    origin : (3,) float, mm, the middle of the picture
    axes : (3, 3) float, as for `shaded`; the last is the plane's normal
    half : half the side of the square shown, mm
    size : pixels a side
    """
    canvas = need("PIL.Image").new("RGB", (2 * size, 2 * size), "white")
    pen = need("PIL.ImageDraw").Draw(canvas)
    for mesh, color in layers:
        for a, b in (section(mesh, origin, axes[2]) - origin) @ axes[:2].T:
            place = [size * (1 + p[0] / half) for p in (a, b)], [size * (1 - p[1] / half) for p in (a, b)]
            pen.line([(place[0][0], place[1][0]), (place[0][1], place[1][1])], fill=color, width=3)
    return np.asarray(canvas.resize((size, size), need("PIL.Image").Resampling.LANCZOS))


def with_caption(picture: Any, text: str) -> Any:
    """The picture under a line of text."""
    bar = need("PIL.Image").new("RGB", (picture.shape[1], _CAPTION_PX), "white")
    need("PIL.ImageDraw").Draw(bar).text((4, 2), text, fill=(60, 60, 60))
    return np.concatenate([np.asarray(bar), picture])
