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
from facecom.report.ablation_variants import (
    ABLATION_VARIANTS,
    EXTRAPOLATION,
    FULL,
    GUIDANCE,
    AblationRunner,
    ablation_variants,
)
from facecom.report.display_data import DisplayData
from facecom.report.explain import explain_html, explain_json, explain_text
from facecom.report.formatting import mm
from facecom.report.model_variants import independent_sides, size_modes_only, symmetric_modes_only, without_discrepancy
from facecom.report.relief import relief_by_region
from facecom.report.summary import summarise


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
    apart = independent_sides(model)
    for points in (left, right):
        assert covariance(apart, points) == pytest.approx(covariance(model, points), abs=1e-3)
    both = np.concatenate([left, right])
    across = covariance(apart, both)[: 3 * len(left), 3 * len(left) :]
    assert np.abs(across).max() < 1e-3 * np.abs(covariance(model, left)).max()
    assert np.abs(covariance(model, both)[: 3 * len(left), 3 * len(left) :]).max() > 1


def test_other_models_lack_what_their_name_says(model):
    code = np.random.default_rng(1).normal(size=symmetric_modes_only(model).code_size)
    vertices = symmetric_modes_only(model).decode(code, level=2)
    mirror = model.template.mirror[: len(vertices)]
    assert vertices == pytest.approx(vertices[mirror] * [-1, 1, 1], abs=1e-3)
    bare = without_discrepancy(model)
    assert bare.code_size == model.identity_size
    for level in (1, 2):  # pictures are taken in on level 2
        assert bare.jacobian(np.zeros(bare.code_size), level=level).shape[1] == bare.code_size
    stretched = size_modes_only(without_discrepancy(model)).decode(np.array([2.0, 0.0, 0.0]), level=1)
    mean = model.template.vertices[: len(stretched)]
    assert stretched[:, 1:] == pytest.approx(mean[:, 1:], abs=1e-3)
    assert np.ptp(stretched[:, 0]) > 1.05 * np.ptp(mean[:, 0])


def test_the_whole_job_repeated_is_the_completion(completion, found):
    whole = found.results[0]
    assert whole.variant.name == FULL
    away = np.linalg.norm(whole.vertices - found.data.face.vertices, axis=1)
    assert np.median(away[found.data.face_mask]) < 0.1
    assert set(whole.change_mm.values()) == {0.0}


def test_every_stage_is_left_out_and_none_fails(found):
    assert [o.variant for o in found.results] == list(ABLATION_VARIANTS)
    assert not [o.problem for o in found.results if o.problem]
    for outcome in found.results[1:]:
        assert outcome.change_mm["all"] > 0, outcome.variant.name


def test_leaving_stages_out_costs_what_the_stage_is_for(found):
    by_name = {o.variant.name: o for o in found.results}
    whole = by_name[FULL]
    assert by_name["projection"].to_scan_mm["all"] > 3 * whole.to_scan_mm["all"]
    assert by_name["shape modes"].held_out_mm > 1.3 * whole.held_out_mm
    carried = by_name[EXTRAPOLATION]
    assert carried.rim_step_mm > 1.5 * whole.rim_step_mm
    assert carried.to_scan_mm["all"] == pytest.approx(whole.to_scan_mm["all"], rel=0.05)


def test_the_hidden_place_was_seen_and_is_kept_from_the_job(found):
    data = found.data
    assert found.held_out.any() and data.observed[found.held_out].all()
    centre = stages.held_out_center(data, radius_mm=18.0)
    covered = stages._without_ball(data.result.evidence, centre, 18.0)
    own = data.result.evidence
    assert len(covered.mm.mesh.faces) < len(own.scan.mm.mesh.faces)
    near = np.linalg.norm(own.fit.pose.apply(covered.mm.mesh.vertices) - centre, axis=1)
    assert near.min() > 18.0
    assert stages.held_out_center(data, radius_mm=90.0) is None


def test_pages_and_json_hold_the_same_figures(found):
    figures = explain_json(found)
    html, text = explain_html(found, name="<b>.ply"), explain_text(found)
    assert "<b>.ply" not in html and "&lt;b&gt;.ply" in html
    for entry in figures["variants"]:
        assert f"{entry['hidden_place_error_mm']:.3f}" in html
        assert f"{entry['hidden_place_error_mm']:.3f}" in text
        for value in entry["face_to_scan_mm"].values():
            assert f"{value:.3f}" in html
    assert figures["relief"] == {} and "none to leave out" in html
    for sentence in figures["summary"]:
        assert escape(sentence) in html and sentence in text
    # pictures are base64, which may spell "http" by chance but knows no colon
    links = re.findall(r'<a href="(https://[^"]+)"', html)
    assert html.count("http") - len(re.findall(r"http[^:s]|https[^:]", html)) == len(links)
    for paper in ("arxiv.org/abs/2406.02074", "jonathandinu/face-parsing", "2404.17255", "2408.09248"):
        assert any(paper in url for url in links)
    assert len(html) < 2_000_000


def test_the_answer_tells_what_helps_here_and_what_does_not(found):
    """The figures are this scan's own; where the hidden place is missed by less without a stage, that is said."""
    whole, modes, *_ = found.results
    structure, sides, closeness, relief = summarise(found)
    assert (
        mm(modes.held_out_mm) in structure and mm(whole.held_out_mm) in structure and "does not help" not in structure
    )
    assert mm(whole.to_scan_mm["all"]) in closeness and "were not made" in relief
    swapped = [replace(whole, held_out_mm=modes.held_out_mm), replace(modes, held_out_mm=whole.held_out_mm)]
    others = replace(found, results=(*swapped, *found.results[2:]))
    assert "does not help" in summarise(others)[0]
    pictures = replace(modes, variant=GUIDANCE)
    told = summarise(replace(found, results=(*found.results, pictures)))
    assert len(told) == 5 and "Pictures of the scan" in told[2] and mm(modes.held_out_mm) in told[2]
    failed = [replace(o, problem="too little") if o.variant.name == "symmetry" else o for o in found.results]
    assert "fails (too little)" in summarise(replace(found, results=tuple(failed)))[1]


def test_relief_is_told_by_region(completion):
    """Nose: made twice as strong as measured, 6 dB; skin: made where none was measured; over all: what there is."""
    data = DisplayData(completion)
    nose = completion.evidence.model.template.region_mask("nose")
    face, rng = data.face, np.random.default_rng(0)
    x, y, z = face.vertices.T
    cheek = (np.hypot(x - 45, y + 15) < 16) & (z > -60)
    points = np.concatenate([np.flatnonzero(nose), np.flatnonzero(nose), np.flatnonzero(cheek)])
    count, kind = nose.sum(), np.full(len(points), 2)
    kind[:count] = 0
    height = rng.normal(size=len(points)) * np.where(kind == 0, 0.01, 0.02)
    nothing = np.zeros((0, 3), int)
    smooth = Mesh(face.vertices[points], nothing)
    skin = SimpleNamespace(
        smooth=smooth, mesh=smooth, displacement=height + 1.0, low=np.ones(len(points)), provenance=kind
    )
    found = relief_by_region(DisplayData(replace(completion, detail=skin)))
    assert set(found) == {"all", "nose", "skin"}
    assert found["nose"].decibel == pytest.approx(6.0, abs=0.5)
    assert found["nose"].observed_mm == pytest.approx(0.01, rel=0.1)
    assert np.isnan(found["skin"].decibel) and found["skin"].text == "nothing to compare"
    assert relief_by_region(data) == {}


def test_without_a_hidden_place_the_rest_is_the_same(completion, found):
    """Half the runs, and the answer says that nothing tells better from worse."""
    quick = ablate(completion, radius_mm=None)
    for one, other in zip(quick.results, found.results, strict=True):
        assert np.array_equal(one.vertices, other.vertices) and np.isnan(one.held_out_mm)
    assert not quick.held_out.any() and quick.held_out_radius_mm == 0
    assert "no observed region" in summarise(quick)[0]


def test_a_radius_must_be_positive(completion):
    with pytest.raises(ValueError, match="positive"):
        ablate(completion, radius_mm=0)


def test_another_kind_of_model_is_refused_with_a_sentence(completion):
    own = completion.evidence
    other = replace(completion, evidence=replace(own, model=ExpressiveGenerator(own.model)))
    with pytest.raises(ValueError, match="linear models alone"):
        ablate(other, radius_mm=None)


def test_pictures_are_left_out_in_turn_where_there_were_some(completion, guided, monkeypatch):
    """Without them the face is the one before them; with a place hidden they are taken anew, once."""
    assert ablation_variants(completion) == ABLATION_VARIANTS
    assert ablation_variants(guided) == (*ABLATION_VARIANTS, GUIDANCE)
    runs, own, asked = AblationRunner(DisplayData(guided)), guided.evidence, []
    with_them, without = (runs.run(own.scan, name)[0] for name in (FULL, GUIDANCE.name))
    middle = own.pictures.found.observations.corners[:, 0]
    away = np.linalg.norm(with_them - without, axis=1)
    assert away[middle].mean() > 1.0
    seen = Surface(runs.data.scan).closest(with_them[guided.provenance == 0])
    assert np.median(seen.distance) < 0.02

    def taken(scan, model, before, source, settings):
        asked.append((scan, source))
        return own.pictures.found, ()

    monkeypatch.setattr("facecom.report.ablation_variants.render_guidance", taken)
    covered = stages._without_ball(own, stages.held_out_center(DisplayData(guided), radius_mm=18.0), 18.0)
    hidden = [runs.run(covered, name)[0] for name in (FULL, "projection", GUIDANCE.name)]
    assert asked == [(covered, "shipped")]
    assert np.linalg.norm(hidden[0] - hidden[2], axis=1)[middle].mean() > 1.0
