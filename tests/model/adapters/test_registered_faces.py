"""Faces of one topology aligned to each other and resampled onto the template."""

import numpy as np
import pytest

from facecom.commands.training import on_template
from facecom.geometry.mesh import vertex_normals
from facecom.geometry.transform import rotation_from_vector
from facecom.model.adapters.registered_faces import procrustes_aligned


@pytest.mark.slow
def test_faces_of_another_topology_come_onto_the_template(curved_faces, template):
    """Level 1 in another order, unit and pose: a user's own registered faces."""
    count = template.counts[1]
    own = np.random.default_rng(0).permutation(count)
    triangles = np.argsort(own)[template.faces[1]]
    turns = [rotation_from_vector([0.1 * k, 0.2, 0.0]) for k in range(4)]
    faces = np.stack([(face[own] @ turn.T + 7.0) / 10.0 for face, turn in zip(curved_faces, turns, strict=False)])
    found = on_template(faces.astype(np.float32), triangles, template)
    assert found.shape == (4, template.counts[2], 3)
    proper = np.linalg.norm(template.vertices[:count], axis=1) < 80.0
    wanted, got = procrustes_aligned(curved_faces[:4, :count]), procrustes_aligned(found[:, :count])
    normals = vertex_normals(wanted.mean(axis=0), template.faces[1])[proper]
    moved, kept = (np.einsum("kvd,vd->kv", (f - f.mean(axis=0))[:, proper], normals) for f in (wanted, got))
    assert np.abs(moved).mean() > 0.2
    assert np.abs(kept - moved).mean() < 0.1 * np.abs(moved).mean()
