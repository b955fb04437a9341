"""What the page shows of a scan before anybody paints."""

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facecom.apps.viewer.session.face_detection import find_face
from facecom.completion import CompletionState
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh

DEPTH_MM = 12.0


@pytest.fixture(scope="module")
def wounded(small_model):
    """A face with a flat bed deep in the place of its nose, its triangles inwards, and the bed's vertices."""
    whole = small_model.sample(3, level=2)
    face = whole.submesh((whole.vertices[whole.faces][..., 2] > -70.0).all(axis=1))[0]
    x, y, _ = face.vertices.T
    wound = np.hypot(x, 0.8 * (y - 8.0)) < 24.0
    vertices = face.vertices.copy()
    rim = vertices[cKDTree(vertices[~wound]).query(vertices[wound])[1], 2].min()
    vertices[wound, 2] = np.minimum(vertices[wound, 2], rim) - DEPTH_MM
    return Mesh(vertices, face.faces[:, ::-1]), wound


@pytest.mark.slow
def test_a_bed_is_found_as_a_defect_and_nothing_hides_it(wounded, small_model):
    scan, wound = wounded
    found = find_face(CompletionState(raw=scan, model=small_model, missing="auto"), progress=lambda stage, share: None)
    inner = cKDTree(scan.vertices[~wound]).query(scan.vertices)[0] > 4.0
    assert found.found[inner].mean() > 0.9 and found.found[~wound].mean() < 0.02
    assert found.inside_out and found.unit == "mm"
    assert any("show no face where one must be" in text for text in found.warnings)
    # seen from the front, what is orange hangs over none of the bed, which it would hide
    hidden = Surface(found_bed(scan, found)).cast(found.missing.vertices.reshape(-1, 3), [[0.0, 0.0, -1.0]]).depth
    assert np.isfinite(hidden).sum() < 20


def found_bed(scan, found):
    """The triangles that were found, in the face frame."""
    bed = scan.submesh(found.found[scan.faces].all(axis=1))[0]
    return bed.with_vertices(found.pose.apply(bed.vertices))
