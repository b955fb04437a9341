"""One picture of scan and result side by side, small enough to be looked at after every completion."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facecom.errors import need
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.report.shading import Drawing, Frame, Image, ViewDirection

# What was measured is grey; each way of making up has a colour of its own, told apart by colour-blind eyes too.
PALETTE = np.array([[0.82, 0.82, 0.80], [0.93, 0.56, 0.25], [0.35, 0.62, 0.86], [0.36, 0.72, 0.55], [0.72, 0.50, 0.78]])
_CAPTION = 18


def preview(
    scan: Mesh,
    result: Mesh,
    *,
    provenance: ArrayLike | None = None,
    pose: Similarity | None = None,
    size: int = 360,
) -> Image:
    """Draw scan and result from four sides: front, both three-quarter views and the profile where more was made up.

    Parameters
    ----------
    scan : Mesh
        A point set is drawn as one.
    result : Mesh
    provenance : (V,) int or bool, for each vertex of `result`
        0 for measured; other values are coloured, one colour each.
    pose : Similarity
        Face frame (mm) to the frame of both meshes; the identity unless given.
    size : int
        Pixels a side of each of the eight pictures.

    Returns
    -------
    (2 size + captions, 4 size, 3) uint8

    Raises
    ------
    ValueError
        When `provenance` does not have one value for each vertex of `result`, or a mesh is empty.

    Examples
    --------
    >>> flat = Mesh([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> preview(flat, flat, size=20).shape
    (76, 80, 3)
    """
    kind = np.zeros(len(result.vertices), np.int64) if provenance is None else np.asarray(provenance).astype(np.int64)
    if kind.shape != (len(result.vertices),):
        raise ValueError(f"expected {len(result.vertices)} provenance values, got an array of shape {kind.shape}")
    if not len(scan.vertices) or not len(result.vertices):
        raise ValueError("there is nothing to draw: a mesh has no vertices")
    to_face = (pose or Similarity()).inverse()
    before, after = (Mesh(to_face.apply(m.vertices), m.faces, normals=_turned(m, to_face)) for m in (scan, result))
    frame = Frame.around(after.vertices, size=size)
    colored = PALETTE[np.where(kind > 0, 1 + (kind - 1) % (len(PALETTE) - 1), 0)]
    views = _views(after.vertices, kind > 0)
    rows = [
        np.concatenate([drawing.shade(paint, view, frame) for view in views], axis=1)
        for drawing, paint in (
            (Drawing(mesh, pixel_mm=frame.pixel_mm), paint) for mesh, paint in ((before, PALETTE[0]), (after, colored))
        )
    ]
    bars = [_caption(name, views, size=size) for name in ("scan", "result")]
    return np.concatenate([bars[0], rows[0], bars[1], rows[1]])


def _turned(mesh: Mesh, transform: Similarity) -> Floats | None:
    return None if mesh.normals is None else transform.rotate(mesh.normals)


def _views(vertices: Floats, made: np.ndarray) -> tuple[ViewDirection, ...]:
    x = vertices[:, 0]
    more_on_left = (made & (x > 0)).sum() >= (made & (x < 0)).sum()
    side = ViewDirection("left profile", np.pi / 2) if more_on_left else ViewDirection("right profile", -np.pi / 2)
    third = np.radians(40)
    return (
        ViewDirection("front"),
        ViewDirection("subject's left", third),
        ViewDirection("subject's right", -third),
        side,
    )


def _caption(name: str, views: tuple[ViewDirection, ...], *, size: int) -> Image:
    canvas = need("PIL.Image").new("RGB", (size * len(views), _CAPTION), "white")
    pen = need("PIL.ImageDraw").Draw(canvas)
    for k, view in enumerate(views):
        pen.text((k * size + 4, 2), f"{name}, {view.name}", fill=(70, 70, 70))
    return np.asarray(canvas)
