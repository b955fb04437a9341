"""A region of the face copied from its other side."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from facecom.completion.regions import FINEST_LEVEL
from facecom.geometry.laplacian import cotangent_stiffness, vertex_areas
from facecom.geometry.mesh import Bools, Floats
from facecom.geometry.transform import fit_similarity
from facecom.model.template import Template
from facecom.prosthesis.defect.design_surface import DesignSurface
from facecom.provenance import Provenance

MIN_RING_VERTICES = 50
"""With fewer vertices observed on both sides the other side cannot be aligned."""


def mirror_region(
    source: DesignSurface, mask: Bools, *, least_observed: float = 0.6, ring_mm: float = 25.0, fade_mm: float = 12.0
) -> DesignSurface:
    """The same surface with a region copied from the other side of the face, where that was observed.

    The reflected side is aligned on the skin around the region that was observed on both sides. The residual along
    the region's border is extrapolated inwards and fades with the distance (a screened membrane), so that the copy
    keeps its shape and joins without a step.

    Parameters
    ----------
    source : DesignSurface
    mask : (T,) bool, template vertices of the region
    least_observed : share of the other side that must have been observed; with less the fitted shape stays
    ring_mm : how far around the region skin is used for the alignment
    fade_mm : over about this distance from the border the copy is deformed to meet it
    """
    template, mirror = source.template, source.template.mirror
    observed = source.completion.provenance == Provenance.OBSERVED
    if observed[mirror][mask].mean() < least_observed:
        return source
    near = cKDTree(template.vertices[mask]).query(template.vertices)[0] < ring_mm
    ring = near & ~mask & observed & observed[mirror]
    if ring.sum() < MIN_RING_VERTICES:
        return source
    reflected = source.face[mirror] * [-1.0, 1.0, 1.0]
    aligned = fit_similarity(reflected[ring], source.face[ring]).apply(reflected)
    shift = np.where(mask[:, None], aligned - source.face, 0.0)
    shift[mask] += _extrapolated_residual(template, source.face - aligned, mask, fade_mm)
    copied = source.weights @ (mask & observed[mirror]).astype(float) > 0.5
    # How alike the two sides are shows on the skin around, where both were observed.
    asymmetry = float(np.sqrt(((aligned - source.face)[ring] ** 2).sum(1).mean()))
    sigma = np.hypot(source.weights @ source.completion.sigma_mm[mirror], asymmetry)
    return replace(
        source,
        merged=source.merged.with_vertices(source.merged.vertices + source.weights @ shift),
        face=source.face + shift,
        provenance=np.where(copied, Provenance.MIRRORED, source.provenance),
        sigma_mm=np.where(copied, sigma, source.sigma_mm),
    )


def _extrapolated_residual(template: Template, residual: Floats, mask: Bools, fade_mm: float) -> Floats:
    """A residual known outside a region, (T, 3), extrapolated into it: equal at its border, fading inwards."""
    faces = template.faces[FINEST_LEVEL]
    stiffness = cotangent_stiffness(template.vertices, faces)
    screened = (stiffness + sp.diags(vertex_areas(template.vertices, faces) / fade_mm**2)).tocsr()[mask]
    return np.asarray(spsolve(screened[:, mask].tocsc(), -(stiffness[mask][:, ~mask] @ residual[~mask])))
