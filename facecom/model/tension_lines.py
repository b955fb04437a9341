"""Relaxed skin tension lines from the compression of the skin by expressions."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import splu

from facecom.geometry.laplacian import cotangent_stiffness
from facecom.geometry.mesh import Floats, Ints, face_cross, unit, vertex_normals
from facecom.model.expressions import ExpressionBasis
from facecom.model.template import FIT_LEVEL, Template


def compression_tensor(
    template: Template,
    expressions: ExpressionBasis | None = None,
    *,
    smooth_mm: float = 5.0,
    isotropic_share: float = 0.3,
) -> Floats:
    """Compression of the skin by expressions at each vertex of `FINEST_LEVEL`, (V, 3, 3): symmetric, of trace one.

    The squares of the compressive part of the Green strain in the tangent plane, added over all expressions at full
    weight. Wrinkles run across its leading direction (Borges 1984 on relaxed skin tension lines). It is the same on
    both sides of the face.

    Parameters
    ----------
    template : Template
    expressions : the shipped ones unless given
    smooth_mm : standard deviation of the smoothing
    isotropic_share : isotropic part, in units of the median compression: where expressions do little, no direction
        stands out

    Examples
    --------
    >>> tensor = compression_tensor(Template.load())
    >>> bool(np.allclose(np.trace(tensor, axis1=1, axis2=2), 1.0))
    True
    """
    expressions = expressions or ExpressionBasis.load()
    count, faces = template.counts[FIT_LEVEL], template.faces[FIT_LEVEL]
    rest = template.vertices[:count]
    area = 0.5 * np.linalg.norm(face_cross(rest, faces), axis=1)
    rows = np.repeat(np.arange(len(faces)), 3)
    share = sp.csr_matrix((np.ones(faces.size) / 3, (faces.ravel(), rows)), shape=(count, len(faces))) @ sp.diags(area)
    total = share @ _squared_compression(rest, faces, expressions.modes)
    mass = np.asarray(share.sum(axis=1))
    size = total[:, [0, 4, 8]].sum(axis=1, keepdims=True) / mass
    # the lids, which close, would drown what lies around them
    damped = total / np.sqrt(np.maximum(size, 1e-12))
    implicit = sp.diags(mass.ravel()) + 0.5 * smooth_mm**2 * cotangent_stiffness(rest, faces)
    smoothed = splu(implicit.tocsc()).solve(damped)
    tensor = _symmetrised(smoothed.reshape(-1, 3, 3), template.mirror[:count])
    normals = vertex_normals(rest, faces)
    plane = np.eye(3) - normals[:, :, None] * normals[:, None]
    tensor = plane @ tensor @ plane
    tensor += 0.5 * isotropic_share * np.median(np.trace(tensor, axis1=1, axis2=2)) * plane
    return template.prolong(tensor / np.trace(tensor, axis1=1, axis2=2)[:, None, None], from_level=FIT_LEVEL)


def _squared_compression(rest: Floats, faces: Ints, modes: Floats) -> Floats:
    """Squared compressive strain of each triangle, added over the modes, as rows of a 3 x 3 matrix, (F, 9)."""
    a, b = (rest[faces[:, k]] - rest[faces[:, 0]] for k in (1, 2))
    x = unit(a)
    frame = np.stack([x, np.cross(unit(np.cross(a, b)), x)], axis=1)
    inverse = np.linalg.inv(frame @ np.stack([a, b], axis=2))
    total = np.zeros((len(faces), 2, 2))
    for mode in modes:
        moved = rest + mode
        edges = np.stack([moved[faces[:, k]] - moved[faces[:, 0]] for k in (1, 2)], axis=2)
        stretch = edges @ inverse
        strain = 0.5 * (np.swapaxes(stretch, 1, 2) @ stretch - np.eye(2))
        total += _negative_part_squared(strain)
    return (np.swapaxes(frame, 1, 2) @ total @ frame).reshape(-1, 9)


def _negative_part_squared(tensor: Floats) -> Floats:
    """Symmetric 2 x 2 tensors (F, 2, 2) with positive principal values set to zero, squared."""
    first, second, shear = tensor[:, 0, 0], tensor[:, 1, 1], tensor[:, 0, 1]
    middle, half = 0.5 * (first + second), 0.5 * (first - second)
    radius = np.hypot(half, shear)
    high, low = np.minimum(middle + radius, 0) ** 2, np.minimum(middle - radius, 0) ** 2
    mean, turn = 0.5 * (high + low), 0.5 * (high - low) / np.maximum(radius, 1e-12)
    return np.stack([mean + turn * half, turn * shear, turn * shear, mean - turn * half], axis=1).reshape(-1, 2, 2)


def _symmetrised(tensor: Floats, mirror: Ints) -> Floats:
    flip = np.array([-1.0, 1.0, 1.0])
    return 0.5 * (tensor + flip[:, None] * tensor[mirror] * flip)
