"""What a scan shows against what the rest of it predicts: a bump stands out, and by less where less is known."""

import numpy as np
import pytest

from facecom.fitting.defect_evidence import surface_evidence
from facecom.geometry.correspondence import OrientedSurface
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity

BUMP_MM = 3.0


@pytest.fixture(scope="module")
def code():
    return np.array([0.4, -0.3, 0.5])


@pytest.fixture(scope="module")
def bumped(dome, code):
    vertices = dome.decode(code, level=0)
    return np.linalg.norm(vertices[:, :2], axis=1) < 14.0


def evidence_of(dome, code, moved, *, height=BUMP_MM, scope=None):
    vertices, faces = dome.decode(code, level=0), dome.faces(0)
    shown = vertices + height * moved[:, None] * vertex_normals(vertices, faces)
    everywhere = np.ones(len(vertices), bool)
    return surface_evidence(
        OrientedSurface(Mesh(shown, faces)),
        dome,
        code,
        pose=Similarity(),
        weights=everywhere.astype(float),
        scope=everywhere if scope is None else scope,
    )


@pytest.mark.parametrize("side", [1.0, -1.0])
def test_a_bump_deviates_to_its_side_and_the_rest_does_not(dome, code, bumped, side):
    found = evidence_of(dome, code, bumped, height=side * BUMP_MM)
    middle = np.linalg.norm(found.vertices[:, :2], axis=1) < 8.0
    around = np.linalg.norm(found.vertices[:, :2], axis=1) > 24.0
    assert (side * found.deviation[middle] > 2.0).all() and (side * found.residual[middle] > 2.0).all()
    assert np.abs(found.deviation[around & found.shown]).max() < 1.0


def test_what_is_out_of_scope_or_not_scanned_is_not_judged(dome, code, bumped):
    vertices = dome.decode(code, level=0)
    found = evidence_of(dome, code, bumped, scope=vertices[:, 0] > 0)
    out = vertices[:, 0] <= 0
    assert not found.shown[out].any() and not found.deviation[out].any() and not found.residual[out].any()
    border = np.abs(vertices[:, :2]).max(axis=1) > 39.9
    assert not found.shown[border].any()
