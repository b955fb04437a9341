"""Regions of the template that a part can replace: its own, the shapes of the test defects, and whole ears."""

from __future__ import annotations

import functools
from typing import get_args

import numpy as np
from scipy.sparse.linalg import spsolve

from facecom.evaluation.defects import DEFECTS, defect_mask
from facecom.evaluation.defects import Defect as Shape
from facecom.geometry.closest_points import Surface
from facecom.geometry.geodesic import geodesic_distance
from facecom.geometry.laplacian import uniform_laplacian
from facecom.geometry.mesh import Bools, Mesh, boundary_edges, face_components
from facecom.model.template import FINEST_LEVEL, Template

EARS = ("l_ear", "r_ear")


def region_mask(template: Template, name: str) -> Bools:
    """Template vertices of a region, (T,) bool: one of the template's own, or a shape of `facecom.evaluation.defects`.

    The prefix "left_" or "right_" puts a one-sided shape on that side of the subject; of an ear the region is all
    that stands off the head, see `auricle`.

    Raises
    ------
    ValueError
        When the name is unknown; the message lists the names.

    Examples
    --------
    >>> template = Template.load()
    >>> bool((region_mask(template, "left_orbit")[template.mirror] == region_mask(template, "right_orbit")).all())
    True
    """
    if name in EARS:
        return auricle(template, name)
    if name in template.region_names or name in template.masks:
        return template.region_mask(name)
    side, shape = name.split("_", 1) if name.startswith(("left_", "right_")) else ("", name)
    if shape not in get_args(Shape) and shape not in DEFECTS:
        known = ", ".join((*template.region_names, *DEFECTS))
        raise ValueError(f"there is no region {name!r}; there are {known}; shapes take left_ or right_ before them")
    mask = defect_mask(template.vertices, shape, seed=0)  # type: ignore[arg-type]
    left = bool(template.vertices[mask, 0].mean() > 0)
    return mask[template.mirror] if (side == "right" and left) or (side == "left" and not left) else mask


@functools.lru_cache(maxsize=8)
def auricle(
    template: Template, name: str, *, membrane_mm: float = 16.0, height_mm: float = 2.5, root_mm: float = 3.0
) -> Bools:
    """Template vertices of an ear, lobule and tragus included, down to its root, (T,) bool.

    The template's own region follows what face parsers call an ear and includes scalp behind it. Here the head
    without an ear is approximated by a membrane over all that lies near the region; the ear is what stands off it.

    Parameters
    ----------
    name : "l_ear" or "r_ear"
    membrane_mm : how far from the template's region the membrane reaches
    height_mm : distance from the membrane at which the ear begins
    root_mm : width of the band around that which still belongs to the ear

    Examples
    --------
    >>> template = Template.load()
    >>> left, right = auricle(template, "l_ear"), auricle(template, "r_ear")
    >>> bool((left == right[template.mirror]).mean() > 0.999)
    True
    """
    faces, vertices = template.faces[FINEST_LEVEL], template.vertices
    whole = Mesh(vertices, faces)
    near = geodesic_distance(whole, np.flatnonzero(template.region_mask(name)), reach_mm=membrane_mm)
    free = np.isfinite(near)
    free[boundary_edges(faces).ravel()] = False
    step = uniform_laplacian(faces, len(vertices))[free]
    membrane = vertices.copy()
    membrane[free] = spsolve(step[:, free].tocsc(), -(step[:, ~free] @ vertices[~free]))
    height = Surface(Mesh(membrane, faces[free[faces].all(1)])).closest(vertices[free]).distance
    high = np.flatnonzero(free)[height > height_mm]
    ear = np.isfinite(geodesic_distance(whole, high, reach_mm=root_mm))
    out = ~_largest_component(faces, ~ear)
    out.setflags(write=False)  # the cache hands it out again
    return out


def _largest_component(faces: np.ndarray, mask: Bools) -> Bools:
    """Vertices of the largest connected component of faces whose corners are all marked."""
    rest = faces[mask[faces].all(1)]
    label = face_components(rest)
    out = np.zeros(len(mask), bool)
    out[rest[label == np.argmax(np.bincount(label))].ravel()] = True
    return out
