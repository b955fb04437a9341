import re
from dataclasses import replace
from html import escape
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.model.linear.expressive import ExpressiveGenerator
from facecom.report import ablation as stages
from facecom.report.ablation import ablate
from facecom.report.ablation_variants import ABLATION_VARIANTS, FULL, PICTURES, Runs, ablation_variants
from facecom.report.display_data import DisplayData
from facecom.report.explain import explain_html, explain_json, explain_text
from facecom.report.formatting import mm
from facecom.report.model_variants import only_size, sides_apart, symmetric, without_fields
from facecom.report.relief import relief_by_region
from facecom.report.summary import answer


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
    bare = without_fields(model)
    assert bare.code_size == model.identity_size
    for level in (1, 2):  # pictures are taken in on level 2
        assert bare.jacobian(np.zeros(bare.code_size), level=level).shape[1] == bare.code_size
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
    assert [o.leaving for o in found.outcomes] == list(ABLATION_VARIANTS)
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
    covered = stages._cut(layers.result.context, centre, 18.0)
    own = layers.result.context
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
    assert figures["relief"] == {} and "none to leave out" in html
    for sentence in figures["answer"]:
        assert escape(sentence) in html and sentence in text
    # pictures are base64, which may spell "http" by chance but knows no colon
    links = re.findall(r'<a href="(https://[^"]+)"', html)
    assert html.count("http") - len(re.findall(r"http[^:s]|https[^:]", html)) == len(links)
    for paper in ("arxiv.org/abs/2406.02074", "jonathandinu/face-parsing", "2404.17255", "2408.09248"):
        assert any(paper in url for url in links)
    assert len(html) < 2_000_000


def test_the_answer_tells_what_helps_here_and_what_does_not(found):
    """The figures are this scan's own; where the hidden place is missed by less without a stage, that is said."""
    whole, modes, *_ = found.outcomes
    structure, sides, closeness, relief = answer(found)
    assert mm(modes.hidden_mm) in structure and mm(whole.hidden_mm) in structure and "does not help" not in structure
    assert mm(whole.to_scan_mm["all"]) in closeness and "were not made" in relief
    swapped = [replace(whole, hidden_mm=modes.hidden_mm), replace(modes, hidden_mm=whole.hidden_mm)]
    others = replace(found, outcomes=(*swapped, *found.outcomes[2:]))
    assert "does not help" in answer(others)[0]
    pictures = replace(modes, leaving=PICTURES)
    told = answer(replace(found, outcomes=(*found.outcomes, pictures)))
    assert len(told) == 5 and "Pictures of the scan" in told[2] and mm(modes.hidden_mm) in told[2]
    failed = [replace(o, problem="too little") if o.leaving.name == "symmetry" else o for o in found.outcomes]
    assert "fails (too little)" in answer(replace(found, outcomes=tuple(failed)))[1]


def test_relief_is_told_by_region(completion):
    """Nose: made twice as strong as measured, 6 dB; skin: made where none was measured; over all: what there is."""
    layers = DisplayData(completion)
    nose = completion.template.region_mask("nose")
    face, rng = layers.face, np.random.default_rng(0)
    x, y, z = face.vertices.T
    cheek = (np.hypot(x - 45, y + 15) < 16) & (z > -60)
    points = np.concatenate([np.flatnonzero(nose), np.flatnonzero(nose), np.flatnonzero(cheek)])
    count, kind = nose.sum(), np.full(len(points), 4)
    kind[:count] = 0
    height = rng.normal(size=len(points)) * np.where(kind == 0, 0.01, 0.02)
    nothing = np.zeros((0, 3), int)
    smooth = Mesh(face.vertices[points], nothing)
    skin = SimpleNamespace(
        smooth=smooth, mesh=smooth, displacement=height + 1.0, base_offset=np.ones(len(points)), provenance=kind
    )
    found = relief_by_region(DisplayData(replace(completion, state=replace(completion.state, detail=skin))))
    assert set(found) == {"all", "nose", "skin"}
    assert found["nose"].decibel == pytest.approx(6.0, abs=0.5)
    assert found["nose"].measured_mm == pytest.approx(0.01, rel=0.1)
    assert np.isnan(found["skin"].decibel) and found["skin"].text == "nothing to compare"
    assert relief_by_region(layers) == {}


def test_without_a_hidden_place_the_rest_is_the_same(completion, found):
    """Half the runs, and the answer says that nothing tells better from worse."""
    quick = ablate(completion, radius_mm=None)
    for one, other in zip(quick.outcomes, found.outcomes, strict=True):
        assert np.array_equal(one.vertices, other.vertices) and np.isnan(one.hidden_mm)
    assert not quick.hidden.any() and quick.hidden_radius_mm == 0
    assert "no seen place" in answer(quick)[0]


def test_a_radius_must_be_positive(completion):
    with pytest.raises(ValueError, match="positive"):
        ablate(completion, radius_mm=0)


def test_another_kind_of_model_is_refused_with_a_sentence(completion):
    other = replace(completion, state=replace(completion.state, model=ExpressiveGenerator(completion.model)))
    with pytest.raises(ValueError, match="linear models alone"):
        ablate(other, radius_mm=None)


def test_pictures_are_left_out_in_turn_where_there_were_some(completion, guided, monkeypatch):
    """Without them the face is the one before them; with a place hidden they are taken anew, once."""
    assert ablation_variants(completion) == ABLATION_VARIANTS
    assert ablation_variants(guided) == (*ABLATION_VARIANTS, PICTURES)
    runs, own, asked = Runs(DisplayData(guided)), guided.context, []
    with_them, without = (runs.run(own.scan, name)[0] for name in (FULL, PICTURES.name))
    middle = own.guidance.found.observations.corners[:, 0]
    away = np.linalg.norm(with_them - without, axis=1)
    assert away[middle].mean() > 1.0
    seen = Surface(runs.layers.scan).closest(with_them[guided.provenance == 0])
    assert np.median(seen.distance) < 0.02

    def taken(state):
        asked.append((state.scan, state.guidance_source))
        return own.guidance.found, ()

    monkeypatch.setattr("facecom.completion.stages.render_guidance", taken)
    covered = stages._cut(own, stages.hidden_place(DisplayData(guided), radius_mm=18.0), 18.0)
    hidden = [runs.run(covered, name)[0] for name in (FULL, "projection", PICTURES.name)]
    assert asked == [(covered, "shipped")]
    assert np.linalg.norm(hidden[0] - hidden[2], axis=1)[middle].mean() > 1.0
