"""Outer face, intaglio and cut are told apart."""

import numpy as np
from scipy.spatial import cKDTree

from facecom.prosthesis.shell.face_kinds import INNER, SIDE, classify_faces, wall_thickness
from facecom.prosthesis.solid.booleans import to_mesh


def test_a_cut_that_was_smoothed_at_its_foot_is_still_no_intaglio(built):
    outer, part = built.shell.outer.mesh, to_mesh(built.shell.solid)
    kind = classify_faces(part, outer)
    before = wall_thickness(outer, part, kind == INNER)
    shown = cKDTree(outer.vertices).query(part.vertices)[0] < 1e-6
    foot = np.setdiff1d(np.unique(part.faces[kind == SIDE]), np.flatnonzero(shown))
    rng = np.random.default_rng(0)
    moved = part.vertices.copy()
    moved[foot[:6]] += rng.uniform(-0.02, 0.02, (6, 3))
    bent = part.with_vertices(moved)
    after = wall_thickness(outer, bent, classify_faces(bent, outer) == INNER)
    assert (moved != part.vertices).any()
    assert after.min() > 0.9 * before.min()
