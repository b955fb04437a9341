"""A picture of scan and result from four directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from facecom.drawing import colors
from facecom.drawing.shading import Frame, Image, MeshRenderer, ViewDirection
from facecom.errors import need
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.provenance import Provenance

PALETTE = np.array([colors.PROVENANCE[kind] for kind in Provenance])
"""The colour of each `Provenance`."""
PREVIEW_SIZE, CAPTION_HEIGHT, CAPTION_INSET, CAPTION_GREY = 360, 18, (4, 2), (70, 70, 70)
"""Pixels of a picture's side, of a caption's height and of its text's offset, and the colour of the text."""
SIDE_YAW_RAD = np.radians(40)


def preview(
    scan: Mesh,
    result: Mesh,
    *,
    provenance: ArrayLike | None = None,
    doubtful: ArrayLike | None = None,
    pose: Similarity | None = None,
    size: int = PREVIEW_SIZE,
) -> Image:
    """Draw scan and result from the front, both three-quarter views, and the profile with more made-up vertices.

    Parameters
    ----------
    scan : Mesh
        A point set is drawn as one.
    result : Mesh
    provenance : (V,) int, a `Provenance` for each vertex of `result`
        Observed is drawn grey; what was made up has the colour of its kind.
    doubtful : (V,) bool, vertices of `scan` of which it is not sure that they are skin
        They are drawn yellow.
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
        When `provenance` does not have one value of the enumeration for each vertex of `result`, `doubtful` not one for
        each vertex of `scan`, or a mesh is empty.

    Examples
    --------
    >>> flat = Mesh([[-9, -9, 0], [9, -9, 0], [0, 9, 0]], [[0, 1, 2]])
    >>> preview(flat, flat, size=20).shape
    (76, 80, 3)
    """
    kind = np.zeros(len(result.vertices), np.int64) if provenance is None else np.asarray(provenance).astype(np.int64)
    if kind.shape != (len(result.vertices),):
        raise ValueError(f"expected {len(result.vertices)} provenance values, got an array of shape {kind.shape}")
    if kind.size and not 0 <= kind.min() <= kind.max() < len(PALETTE):
        raise ValueError(f"provenance must be 0 to {len(PALETTE) - 1}, got {kind.min()} to {kind.max()}")
    if not len(scan.vertices) or not len(result.vertices):
        raise ValueError("there is nothing to draw: a mesh has no vertices")
    marked = np.zeros(len(scan.vertices), bool) if doubtful is None else np.asarray(doubtful, bool)
    if marked.shape != (len(scan.vertices),):
        raise ValueError(f"expected {len(scan.vertices)} doubtful values, got an array of shape {marked.shape}")
    to_face = (pose or Similarity()).inverse()
    before, after = (Mesh(to_face.apply(m.vertices), m.faces, normals=_rotated(m, to_face)) for m in (scan, result))
    frame = Frame.around(after.vertices, size=size)
    colored = PALETTE[kind]
    scanned = np.where(marked[:, None], colors.DOUBTFUL, PALETTE[0]) if marked.any() else PALETTE[0]
    views = _views(after.vertices, kind > 0)
    rows = [
        np.concatenate([renderer.shade(albedo, view, frame) for view in views], axis=1)
        for renderer, albedo in (
            (MeshRenderer(mesh, pixel_mm=frame.pixel_mm), albedo)
            for mesh, albedo in ((before, scanned), (after, colored))
        )
    ]
    bars = [_caption(name, views, size=size) for name in ("scan", "result")]
    return np.concatenate([bars[0], rows[0], bars[1], rows[1]])


def _rotated(mesh: Mesh, transform: Similarity) -> Floats | None:
    return None if mesh.normals is None else transform.rotate(mesh.normals)


def _views(vertices: Floats, made_up: np.ndarray) -> tuple[ViewDirection, ...]:
    x = vertices[:, 0]
    more_on_left = (made_up & (x > 0)).sum() >= (made_up & (x < 0)).sum()
    profile = ViewDirection("left profile", np.pi / 2) if more_on_left else ViewDirection("right profile", -np.pi / 2)
    return (
        ViewDirection("front"),
        ViewDirection("subject's left", SIDE_YAW_RAD),
        ViewDirection("subject's right", -SIDE_YAW_RAD),
        profile,
    )


def _caption(name: str, views: tuple[ViewDirection, ...], *, size: int) -> Image:
    canvas = need("PIL.Image").new("RGB", (size * len(views), CAPTION_HEIGHT), "white")
    pen = need("PIL.ImageDraw").Draw(canvas)
    left, top = CAPTION_INSET
    for k, view in enumerate(views):
        pen.text((k * size + left, top), f"{name}, {view.name}", fill=CAPTION_GREY)
    return np.asarray(canvas)
