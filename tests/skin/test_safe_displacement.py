"""Displaced patches neither fold nor intersect themselves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from facecom.geometry.intersections import first_intersections
from facecom.skin.safe_displacement import displace_safely, displace_without_folds


def test_heights_that_would_fold_are_lowered(bowl):
    _, patch = bowl()
    spike = np.zeros(len(patch.mesh.vertices))
    spike[np.linalg.norm(patch.mesh.vertices[:, :2], axis=1).argmin()] = 5.0
    mesh, lowered = displace_without_folds(patch, spike)
    up = np.einsum(
        "fd,fd->f",
        *(
            np.cross(v[f[:, 1]] - v[f[:, 0]], v[f[:, 2]] - v[f[:, 0]])
            for v, f in ((mesh.vertices, mesh.faces), (patch.mesh.vertices, patch.mesh.faces))
        ),
    )
    assert lowered.any() and (up > 0).all()
    assert not displace_without_folds(patch, np.full(len(spike), 0.3))[1].any()


@pytest.mark.parametrize("observed_wall", [False, True])
def test_relief_that_would_intersect_gives_way_and_observed_skin_that_does_is_left_out(observed_wall, groove):
    patch, height = groove()
    x, y, _ = patch.mesh.vertices.T
    observed = (x > 0.3) & observed_wall
    plain, _ = displace_without_folds(patch, height)
    assert len(first_intersections(plain)[0])
    done = displace_safely(patch, height, base_offset=np.zeros(len(height)), observed=observed)
    assert not len(first_intersections(done.mesh)[0]) and done.n_intersecting_edges == 0
    assert (done.dropped > 0) == observed_wall
    far = np.abs(y) > 2.0
    assert np.array_equal(done.mesh.vertices[far], plain.vertices[far])
    moved = np.linalg.norm(done.mesh.vertices - plain.vertices, axis=1) > 1e-9
    assert moved.any() and not (moved & ~done.lowered).any()


def test_a_smooth_face_that_intersects_itself_is_faired(groove):
    patch, height = groove()
    plain, _ = displace_without_folds(patch, height)
    intersecting, nothing = replace(patch, mesh=plain), np.zeros(len(height))
    done = displace_safely(intersecting, nothing, base_offset=nothing, observed=nothing > 0)
    assert len(first_intersections(plain)[0]) and not len(first_intersections(done.mesh)[0])
    far = np.abs(patch.mesh.vertices[:, 1]) > 2.5
    assert np.array_equal(done.mesh.vertices[far], plain.vertices[far])
