import numpy as np
import pytest

from facecom.report import ablation as stages
from facecom.report.ablation import FULL, LEAVINGS, ablate
from facecom.report.explain import explain_html, explain_json, explain_text
from facecom.report.variants import only_size, sides_apart, symmetric, without_fields


@pytest.fixture(scope="module")
def found(completion):
    return ablate(completion)


@pytest.fixture
def model(small_model):
    return small_model


def covariance(model, points):
    rows = model.jacobian(np.zeros(model.code_size), level=1).reshape(model.template.counts[1], 3, -1)[points]
    rows = rows.reshape(3 * len(points), -1)
    return rows @ rows.T


def test_sides_apart_keeps_each_side_and_forgets_the_other(model):
    template = model.template
    left = np.flatnonzero(template.vertices[: template.counts[1], 0] > 10)[::150]
    right = template.mirror[left]
    apart = sides_apart(model)
    for points in (left, right):
        assert covariance(apart, points) == pytest.approx(covariance(model, points), abs=1e-3)
    both = np.concatenate([left, right])
    across = covariance(apart, both)[: 3 * len(left), 3 * len(left) :]
    assert np.abs(across).max() < 1e-3 * np.abs(covariance(model, left)).max()
    assert np.abs(covariance(model, both)[: 3 * len(left), 3 * len(left) :]).max() > 1


def test_other_models_lack_what_their_name_says(model):
    code = np.random.default_rng(1).normal(size=symmetric(model).code_size)
    vertices = symmetric(model).decode(code, level=2)
    mirror = model.template.mirror[: len(vertices)]
    assert vertices == pytest.approx(vertices[mirror] * [-1, 1, 1], abs=1e-3)
    assert without_fields(model).code_size == model.identity_size
    stretched = only_size(without_fields(model)).decode(np.array([2.0, 0.0, 0.0]), level=1)
    mean = model.template.vertices[: len(stretched)]
    assert stretched[:, 1:] == pytest.approx(mean[:, 1:], abs=1e-3)
    assert np.ptp(stretched[:, 0]) > 1.05 * np.ptp(mean[:, 0])


def test_the_whole_job_repeated_is_the_completion(completion, found):
    whole = found.outcomes[0]
    assert whole.leaving.name == FULL
    away = np.linalg.norm(whole.vertices - found.layers.face.vertices, axis=1)
    assert np.median(away[found.layers.proper]) < 0.1
    assert set(whole.change_mm.values()) == {0.0}


def test_every_stage_is_left_out_and_none_fails(found):
    assert [o.leaving for o in found.outcomes] == list(LEAVINGS)
    assert not [o.problem for o in found.outcomes if o.problem]
    for outcome in found.outcomes[1:]:
        assert outcome.change_mm["all"] > 0, outcome.leaving.name


def test_leaving_stages_out_costs_what_the_stage_is_for(found):
    by_name = {o.leaving.name: o for o in found.outcomes}
    whole = by_name[FULL]
    assert by_name["projection"].to_scan_mm["all"] > 3 * whole.to_scan_mm["all"]
    assert by_name["shape modes"].hidden_mm > 1.3 * whole.hidden_mm
    carried = by_name["carrying on into the hole"]
    assert carried.rim_gap_mm > 1.5 * whole.rim_gap_mm
    assert carried.to_scan_mm["all"] == pytest.approx(whole.to_scan_mm["all"], rel=0.05)


def test_the_hidden_place_was_seen_and_is_kept_from_the_job(found):
    layers = found.layers
    assert found.hidden.any() and layers.measured[found.hidden].all()
    centre = stages.hidden_place(layers, radius_mm=18.0)
    covered = stages._cut(layers.result.evidence, centre, 18.0)
    own = layers.result.evidence
    assert len(covered.mm.mesh.faces) < len(own.scan.mm.mesh.faces)
    near = np.linalg.norm(own.fit.pose.apply(covered.mm.mesh.vertices) - centre, axis=1)
    assert near.min() > 18.0
    assert stages.hidden_place(layers, radius_mm=90.0) is None


def test_pages_and_json_hold_the_same_figures(found):
    figures = explain_json(found)
    html, text = explain_html(found, name="<b>.ply"), explain_text(found)
    assert "<b>.ply" not in html and "&lt;b&gt;.ply" in html
    for entry in figures["without"]:
        assert f"{entry['hidden_place_error_mm']:.3f}" in html
        assert f"{entry['hidden_place_error_mm']:.3f}" in text
        for value in entry["face_to_scan_mm"].values():
            assert f"{value:.3f}" in html
    assert figures["skin_detail"] is None and "none to leave out" in html
    # pictures are base64, which may spell "http" by chance but knows no colon
    assert "http:" not in html and "https:" not in html
    assert len(html) < 2_000_000


def test_a_radius_must_be_positive(completion):
    with pytest.raises(ValueError, match="positive"):
        ablate(completion, radius_mm=0)
