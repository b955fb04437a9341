"""The scan as the vertices of a face see it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from facecom.fitting.defect_settings import DefectSearchSettings
from facecom.fitting.posterior import motion_jacobian
from facecom.fitting.terms import geman_mcclure
from facecom.fitting.types import FIT_LEVEL, ShapeModel
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Floats, vertex_normals
from facecom.geometry.transform import Similarity


@dataclass(frozen=True, eq=False)
class Observation:
    """What a scan shows at the vertices of a face.

    vertices, normals : (V, 3) of the face, mm, face frame
    rows : (V, M + 6) derivative of the plane residual; along : (V, M + 6) of the vertex along its own normal;
    residual : (V,) mm, to the plane of the closest point; distance : (V,) mm, to that point, or to its plane where that
    faces alike; matched, compared, shown : (V,) bool, whether the surface there may move the face, is held against what
    the rest predicts, and is there at all
    """

    vertices: Floats
    normals: Floats
    rows: Floats
    along: Floats
    residual: Floats
    distance: Floats
    matched: Bools
    compared: Bools
    shown: Bools


def observe(
    scan: OrientedSurface,
    model: ShapeModel,
    code: Floats,
    *,
    pose: Similarity,
    settings: DefectSearchSettings,
    modes: int | None = None,
) -> Observation:
    """What the scan shows at the vertices of a face.

    Parameters
    ----------
    scan : OrientedSurface, mm
    code, pose : of the face; scan frame -> face frame
    modes : M, so many leading entries of the code the derivatives are by; all unless given
    """
    vertices = model.decode(code, level=FIT_LEVEL)
    normals = vertex_normals(vertices, model.faces(FIT_LEVEL))
    found = scan.match(vertices, normals, pose=pose, reach_mm=settings.reach_mm, normal_limit_rad=np.pi, prefilter=True)
    jacobian = model.jacobian(code, level=FIT_LEVEL)[:, :modes].reshape(len(vertices), 3, -1)
    motion = motion_jacobian(vertices)

    def rows_along(directions: Floats) -> Floats:
        parts = [np.einsum("vd,vdm->vm", directions, part) for part in (jacobian, motion)]
        return np.concatenate(parts, axis=1)

    residual = np.einsum("vd,vd->v", found.points - vertices, found.normals)
    cosine = np.einsum("vd,vd->v", found.normals, normals)
    facing = cosine > np.cos(settings.normal_limit_rad)
    return Observation(
        vertices=vertices,
        normals=normals,
        rows=rows_along(found.normals),
        along=rows_along(normals),
        residual=np.where(found.valid, residual, 0.0),
        # a surface that looks elsewhere is another one, however near its plane passes
        distance=np.where(facing, np.abs(residual), found.distance),
        matched=found.valid & facing & (np.abs(residual) < settings.matched_mm),
        compared=found.valid
        & (cosine > np.cos(settings.compared_limit_rad))
        & (np.abs(residual) < settings.compared_mm),
        shown=found.valid,
    )


def residual_evidence(residual: Floats, weights: Floats, *, believed: Bools, settings: DefectSearchSettings) -> Floats:
    """Inverse variance of each residual (V,), with robust weights; 0 where a vertex is not believed.

    Examples
    --------
    >>> settings = DefectSearchSettings(noise_mm=0.5, robust_mm=1.5)
    >>> told = residual_evidence(np.array([0.0, 1.5, 0.0]), np.ones(3), believed=np.array([1, 1, 0], bool),
    ...                          settings=settings)
    >>> told.tolist()
    [4.0, 1.0, 0.0]
    """
    inlier = geman_mcclure(residual, scale_mm=settings.robust_mm)
    return np.where(believed, weights * inlier, 0.0) / settings.noise_mm**2
