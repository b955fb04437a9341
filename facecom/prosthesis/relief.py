"""Skin relief on the outer face of a part, where a completion carries any."""

from __future__ import annotations

import numpy as np

from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.nearest import Surface
from facecom.prosthesis.sheet import Sheet
from facecom.prosthesis.thickness import smooth_step
from facecom.refine.detail import Detail


def with_relief(sheet: Sheet, skin: Detail, *, fade_mm: float = 1.0, most_mm: float = 1.5) -> tuple[Mesh, Floats]:
    """The sheet with the relief of a completion's detail on what was made; measured skin keeps its own.

    Parameters
    ----------
    skin : Detail, face frame, mm, over at least a part of the sheet
    fade_mm : over this distance from the defect's edge, where the sheet joins measured skin, the relief sets in
    most_mm : the sheet is left alone where it lies farther than this from the detail's surface

    Returns
    -------
    Mesh, and (V,) float, mm: how far each vertex was moved along the normal
    """
    points = sheet.mesh.vertices
    found = Surface(skin.smooth).closest(points)
    corners = skin.smooth.faces[found.faces]
    normals = np.einsum("vk,vkd->vd", found.barycentric, skin.normals[corners])
    target = np.einsum("vk,vkd->vd", found.barycentric, skin.mesh.vertices[corners])
    height = np.einsum("vd,vd->v", target - points, normals)
    near = (found.distance < most_mm) & (np.abs(height) < most_mm) & (sheet.inward > 0)
    moved = np.where(near, smooth_step(sheet.inward / fade_mm) * height, 0.0)
    return sheet.mesh.with_vertices(points + moved[:, None] * normals), moved
