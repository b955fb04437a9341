"""How much what a scan shows at each vertex of a face speaks for a defect there."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from facecom.fitting.defect_settings import DefectSearchSettings
from facecom.fitting.left_out import LeftOutDiscs, discs_about
from facecom.fitting.scan_observation import observe, residual_evidence
from facecom.fitting.types import FIT_LEVEL, ShapeModel
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Bools, Floats
from facecom.geometry.transform import Similarity

EVIDENCE_MODES = 60
"""Leading entries of the code that discs are predicted by here: more tell little more, and take their time."""


@dataclass(frozen=True, eq=False)
class SurfaceEvidence:
    """What a scan shows at the vertices of the fit's level; mm, face frame.

    vertices, normals : (V, 3) of the fitted face
    shown : (V,) bool, whether the scan shows surface near a vertex, that faces alike
    residual : (V,) of the scan to the fitted face, positive outside of it
    deviation : (V,) of the scan from what the rest of it predicts, in standard deviations
    """

    vertices: Floats
    normals: Floats
    shown: Bools
    residual: Floats
    deviation: Floats


def surface_evidence(
    scan: OrientedSurface,
    model: ShapeModel,
    code: Floats,
    *,
    pose: Similarity,
    weights: Floats,
    scope: Bools,
    settings: DefectSearchSettings | None = None,
) -> SurfaceEvidence:
    """What a scan shows at the vertices of a face, and what was to be expected there.

    The parameters are those of `find_contradiction`. The deviation of a vertex is that from the disc in whose middle it
    lies most.
    """
    settings = replace(settings or DefectSearchSettings(), disc_modes=EVIDENCE_MODES)
    seen = observe(scan, model, code, pose=pose, settings=settings, modes=settings.disc_modes)
    evidence = residual_evidence(seen.residual, weights, believed=seen.compared, settings=settings)
    predicted = LeftOutDiscs(seen, code, evidence=evidence, compared=seen.compared & scope, settings=settings)
    mean = model.decode(np.zeros_like(code), level=FIT_LEVEL)
    deviation, nearest = np.zeros(len(mean)), np.full(len(mean), np.inf)
    radius, spacing, _ = settings.discs[0]
    for disc in discs_about(mean, scope, radius=radius, spacing=spacing):
        told, here = predicted.deviations(disc)
        distance = np.linalg.norm(mean[told] - mean[disc].mean(axis=0), axis=1)
        closer = distance < nearest[told]
        nearest[told[closer]], deviation[told[closer]] = distance[closer], here[closer]
    shown = seen.matched & scope
    return SurfaceEvidence(
        seen.vertices, seen.normals, shown, np.where(shown, seen.residual, 0.0), np.where(shown, deviation, 0.0)
    )
