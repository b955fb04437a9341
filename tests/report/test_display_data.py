"""Meshes and values of a completion for display."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.completion.provenance import face_provenance
from facecom.geometry.mesh import Mesh
from facecom.provenance import Provenance
from facecom.report.display_data import DisplayData


def test_mirrored_is_told_from_model_by_the_mirror_vertex(data):
    mirror = data.result.template.mirror
    assert (data.provenance[data.observed] == Provenance.OBSERVED).all()
    assert data.observed[mirror[data.provenance == Provenance.MIRRORED]].all()
    assert not data.observed[mirror[data.provenance == Provenance.MODEL]].any()
    x, y, _ = data.face.vertices.T
    cheek = np.hypot(x - 45, y + 15) < 8
    assert (data.provenance[cheek] == Provenance.MIRRORED).mean() > 0.8
    fresh = data.merged_provenance[len(data.scan.vertices) :]
    assert (data.merged_provenance[: len(data.scan.vertices)] == Provenance.OBSERVED).all() and (
        fresh != Provenance.OBSERVED
    ).all()


def test_vertices_under_synthesised_relief_are_synthesised(completion):
    data = DisplayData(completion)
    made, seen = np.flatnonzero(data.made_up)[:50], np.flatnonzero(data.observed)[:50]
    points = data.face.vertices[np.concatenate([made, seen])]
    source = np.repeat([Provenance.SYNTHESISED, Provenance.OBSERVED], 50)
    skin = SimpleNamespace(smooth=Mesh(points, np.zeros((0, 3), int)), provenance=source)
    kind = face_provenance(replace(completion.state, detail=skin))
    assert (kind[made] == Provenance.SYNTHESISED).all()
    assert (kind[seen] == Provenance.OBSERVED).all()
    assert not (data.provenance == Provenance.SYNTHESISED).any()


def test_shares_and_means_are_weighted_by_area(data):
    """Compared with plain loops over the triangles' thirds."""
    corners = data.face.vertices[data.face.faces]
    area = 0.5 * np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1)
    where = data.face.vertices[:, 0] > 0
    share = (area[:, None] / 3 * where[data.face.faces]).sum() / area.sum()
    assert data.area_share(where) == pytest.approx(share, rel=1e-9)
    values = data.face.vertices[:, 1]
    mean = (area[:, None] / 3 * (where * values)[data.face.faces]).sum() / (area.sum() * share)
    assert data.area_mean(values, where) == pytest.approx(mean, rel=1e-9)
    assert data.area_rms(np.full(len(values), -2.0), where) == pytest.approx(2.0)
    assert np.isnan(data.area_mean(values, np.zeros(len(values), bool)))
    assert data.area_share(where, of=where) == pytest.approx(1.0)


def test_the_view_shows_the_side_with_the_hole(data):
    """The missing cheek is the subject's left one."""
    assert data.view.yaw > 0


def test_observed_and_made_up_part_the_face_proper(data):
    assert not (data.observed & data.made_up).any()
    assert np.array_equal(data.observed & data.face_mask | data.made_up, data.face_mask)
    assert data.face_to_scan[data.observed].mean() < 0.1
    assert not data.face_to_scan[~data.observed].any()
