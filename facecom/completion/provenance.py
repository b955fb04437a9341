"""Where each vertex of a completion comes from."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree

from facecom.completion.state import CompletionState, known
from facecom.geometry.mesh import Bools, Ints
from facecom.model.template import FINEST_LEVEL, SHAPE_LEVEL
from facecom.provenance import Provenance
from facecom.stitching.stitch import Stitched

RELIEF_REACH_MM = 1.0
"""Skin relief belongs to what of the face it lies this near to."""
MAJORITY = 0.5
"""A vertex between others is of the kind that more than this share of them has."""


def face_provenance(state: CompletionState) -> Ints:
    """A `Provenance` for each vertex of the completed face, (V,); of several that hold, the last of the enumeration."""
    observed = known(state.projection, "project").observed
    kind = np.where(observed, Provenance.OBSERVED, Provenance.MODEL)
    kind[~observed & observed[state.template.mirror]] = Provenance.MIRRORED
    kind[~observed & _guided(state)] = Provenance.GUIDED
    kind[~observed & _under_relief(state)] = Provenance.SYNTHESISED
    return kind


def merged_provenance(stitched: Stitched, face: Ints) -> Ints:
    """The same for each vertex of the merged mesh, (M,), from that of the face's vertices, (V,)."""
    kind = np.where(stitched.added, Provenance.MODEL, Provenance.OBSERVED)
    for other in (Provenance.MIRRORED, Provenance.GUIDED, Provenance.SYNTHESISED):
        made = stitched.weights @ (face == other) > MAJORITY
        kind[len(kind) - len(made) + np.flatnonzero(made)] = other
    return kind


def _guided(state: CompletionState) -> Bools:
    """Vertices of the face whose place a pixel of an inpainted picture told, (V,)."""
    seen = None if state.guidance is None else state.guidance.found.observations
    template = state.template
    if seen is None:
        return np.zeros(template.counts[FINEST_LEVEL], bool)
    told = np.zeros(template.counts[SHAPE_LEVEL])
    told[seen.corners] = 1.0
    return np.asarray(template.prolong(told, from_level=SHAPE_LEVEL, to_level=FINEST_LEVEL) > MAJORITY)


def _under_relief(state: CompletionState) -> Bools:
    """Vertices of the face on which made skin relief was laid, (V,)."""
    vertices, skin = known(state.projection, "project").vertices, state.detail
    if skin is None:
        return np.zeros(len(vertices), bool)
    laid = skin.smooth.vertices[~np.isin(skin.provenance, (Provenance.OBSERVED, Provenance.MODEL))]
    if not len(laid):
        return np.zeros(len(vertices), bool)
    return np.asarray(cKDTree(laid).query(vertices)[0] < RELIEF_REACH_MM)
