"""Extrapolation of the offset from the observed rim into a hole, with the opposite side of the face as prior mean."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.projection.offset_field import direct_posterior_field, matern_precision
from facecom.projection.settings import ProjectSettings


def extrapolated_offset(
    face: Mesh, offset: Floats, observed: Bools, *, mirror: Ints | None = None, settings: ProjectSettings
) -> Floats:
    """Solve the offset anew, directly, at unobserved vertices near observed ones.

    Conjugate gradients stop before the rim's slope has reached the middle of a hole; a direct solve does not, and so
    continues the trend of the rim, not its value alone. What a face has and the model does not expect is much the
    same on both sides: where the opposite side was observed, a share of its offset is the prior mean.

    Parameters
    ----------
    face : Mesh, V vertices, mm
    offset : (V,) float, mm, along the normals
    observed : (V,) bool
    mirror : (V,) int or None, the vertex on the opposite side
    settings : ProjectSettings, those named `extrapolation_...` and `mirror_...`

    Returns
    -------
    (V,) float, mm; `offset` itself where there is nothing to extrapolate, its values where observed or out of reach
    """
    unknown = _vertices_to_solve(face, observed, settings.extrapolation_depth_mm)
    if not len(unknown):
        return offset
    reach = settings.extrapolation_rim_mm
    near = cKDTree(face.vertices[unknown]).query(face.vertices, distance_upper_bound=reach)[0] < reach
    inside: Bools = near[face.faces].all(axis=1)
    if not inside.any():
        return offset
    part, used = face.submesh(inside)
    # unobserved vertices that are out of reach keep their offset, so that the field meets them
    given = ~np.isin(used, unknown)
    solved = _posterior_offset(part, used, offset, observed, given=given, mirror=mirror, settings=settings)
    out = offset.copy()
    out[used[~given]] = solved[~given]
    return out


def _vertices_to_solve(face: Mesh, observed: Bools, depth_mm: float) -> Ints:
    """Unobserved vertices within `depth_mm` of observed ones; none where all are observed or none is."""
    unknown = np.flatnonzero(~observed)
    if not len(unknown) or len(unknown) == len(observed):
        return unknown[:0]
    distance = cKDTree(face.vertices[observed]).query(face.vertices[unknown], distance_upper_bound=depth_mm)[0]
    return unknown[distance < depth_mm]


def _posterior_offset(
    part: Mesh,
    used: Ints,
    offset: Floats,
    observed: Bools,
    *,
    given: Bools,
    mirror: Ints | None,
    settings: ProjectSettings,
) -> Floats:
    """Posterior mean of the offset on a part of the face whose vertices are `used`, held where `given`."""
    precision = matern_precision(
        part.vertices,
        part.faces,
        correlation_mm=settings.extrapolation_correlation_mm,
        sigma_mm=settings.extrapolation_sigma_mm,
    )

    def posterior(values: Floats, known: Bools, noise_mm: float) -> Floats:
        return direct_posterior_field(precision, values, known / noise_mm**2)

    prior_mean = np.zeros(len(used))
    if mirror is not None and settings.mirror_share > 0 and observed[mirror[used]].any():
        other = mirror[used]
        prior_mean = settings.mirror_share * posterior(offset[other], observed[other], settings.mirror_noise_mm)
    return prior_mean + posterior(offset[used] - prior_mean, given, settings.noise_mm)
