"""What a notebook shows of a mesh: something that turns where k3d or PyVista is installed, a picture where not."""

from __future__ import annotations

import html
from base64 import b64encode
from collections.abc import Mapping
from typing import Any

import numpy as np

from facecom.drawing import colors
from facecom.drawing.shading import Frame, Image, MeshRenderer, ViewDirection
from facecom.errors import MissingDependency, need
from facecom.geometry.mesh import Ints, Mesh
from facecom.io.conversion import to_pyvista
from facecom.io.images import png_bytes
from facecom.provenance import Provenance

PICTURE_SIZE = 360
"""Pixels of a picture's side."""
THREE_QUARTER = ViewDirection("three-quarter", np.radians(30.0), np.radians(5.0))
_PALETTE = np.array([colors.PROVENANCE[kind] for kind in Provenance])


def show_mesh(mesh: Mesh, in_face: Mesh, provenance: Ints | None = None) -> Any:
    """A view of a mesh, coloured by `Provenance`.

    Parameters
    ----------
    mesh : Mesh, as it is shown where it can be turned
    in_face : Mesh, the same in the face frame, mm, for a picture from the front and from the side
    provenance : (V,) int, a `Provenance` for each vertex; observed unless given

    Returns
    -------
    a k3d plot, a PyVista plotter, or a PIL image, the first of these whose package is installed
    """
    kind = np.zeros(len(mesh.vertices), np.int64) if provenance is None else np.asarray(provenance)
    for view in (_k3d_plot, _pyvista_plotter):
        try:
            return view(mesh, kind)
        except MissingDependency:
            continue
    return need("PIL.Image").fromarray(picture(in_face, kind))


def _k3d_plot(mesh: Mesh, kind: Ints) -> Any:
    k3d = need("k3d", extra="notebook")
    stops = np.linspace(0.0, 1.0, len(_PALETTE))
    plot = k3d.plot(grid_visible=False)
    plot += k3d.mesh(
        mesh.vertices.astype(np.float32),
        mesh.faces.astype(np.uint32),
        attribute=kind.astype(np.float32),
        color_map=np.column_stack([stops, _PALETTE]).ravel().tolist(),
        color_range=[0.0, len(_PALETTE) - 1.0],
    )
    return plot


def _pyvista_plotter(mesh: Mesh, kind: Ints) -> Any:
    pyvista = need("pyvista")
    plotter = pyvista.Plotter()
    plotter.add_mesh(to_pyvista(mesh), scalars=_PALETTE[kind], rgb=True)
    return plotter


def picture(in_face: Mesh, provenance: Ints) -> Image:
    """A mesh of the face frame from the front and from three quarters, (H, 2 H, 3) uint8."""
    frame = Frame.around(in_face.vertices, size=PICTURE_SIZE)
    renderer = MeshRenderer(in_face, pixel_mm=frame.pixel_mm)
    views = (ViewDirection("front"), THREE_QUARTER)
    return np.concatenate([renderer.shade(_PALETTE[provenance], view, frame) for view in views], axis=1)


def html_summary(image: Image, figures: Mapping[str, str]) -> str:
    """A picture and a table of figures as HTML that needs nothing from outside.

    Examples
    --------
    >>> html_summary(np.zeros((1, 1, 3), np.uint8), {"a": "<b>"}).split("<tr>")[1]
    '<td>a</td><td>&lt;b&gt;</td></tr></table>'
    """
    rows = "".join(f"<tr><td>{html.escape(k)}</td><td>{html.escape(v)}</td></tr>" for k, v in figures.items())
    return f'<img src="data:image/png;base64,{b64encode(png_bytes(image)).decode()}"/><table>{rows}</table>'
