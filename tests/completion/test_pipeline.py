"""Properties of the whole job, on a face drawn from the model with its nose cut out."""

from dataclasses import replace

import numpy as np
import pytest

from facecom.completion import COMPLETION, AcceptanceThresholds, CompletionSettings, CompletionState, Stage, complete
from facecom.completion.stages import check_shape, completed_face, fit
from facecom.errors import AlignmentError, FitError, ScanError
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh, vertex_normals
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator
from facecom.provenance import Provenance

MOTION = Similarity(rotation_from_vector([1.2, -2.0, 0.7]), np.array([250.0, -120.0, 400.0]))
NOSE_TIP = "nose_tip"


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def truth(model):
    """A face in the face frame, mm; what lies deeper than the cheeks is left out, to be quick."""
    face = model.sample(3, level=2)
    return face.submesh((face.vertices[face.faces][..., 2] > -75.0).all(1))[0]


@pytest.fixture(scope="module")
def partial(truth):
    return partial_scan(truth, "nose", seed=1, settings=ScanSettings(noise_mm=0.1, max_angle=0.3))


@pytest.fixture(scope="module")
def done(partial, model):
    return complete(partial.scan, model=model)


@pytest.fixture(scope="module")
def moved(partial, model):
    """The same scan elsewhere, in cm, its vertices and triangles in another order; and the way there."""
    rng = np.random.default_rng(0)
    place = rng.permutation(len(partial.scan.vertices))
    back = np.argsort(place)
    way = Similarity(scale=0.1) @ MOTION
    faces = back[partial.scan.faces][rng.permutation(len(partial.scan.faces))]
    return complete(Mesh(way.apply(partial.scan.vertices[place]), faces), model=model), way


@pytest.fixture(scope="module")
def mirrored(partial, model):
    scan = partial.scan
    return complete(Mesh(scan.vertices * [-1, 1, 1], scan.faces[:, ::-1]), model=model)


def test_a_coloured_scan_colours_the_whole_face_as_it_was_seen(done, partial, model):
    """The colour of each place of the scan, a bright one, comes back there on the face and is continued elsewhere."""
    lit = 0.5 + 0.4 * np.sin(partial.scan.vertices / 15.0)
    coloured = Mesh(partial.scan.vertices, partial.scan.faces, colors=lit)
    result = complete(coloured, model=model)
    assert done.face.colors is None
    assert np.allclose(result.face.vertices, done.face.vertices)
    seen = result.provenance == Provenance.OBSERVED
    assert np.abs(result.face.colors - (0.5 + 0.4 * np.sin(result.face.vertices / 15.0)))[seen].mean() < 0.02
    assert np.isfinite(result.face.colors).all() and result.face.colors.std() > 0.1
    assert result.merged.colors is not None


def test_a_place_without_a_colour_leaves_the_others_theirs(done, model):
    """A texture may not reach every vertex; what is filled in must not be lost with it."""
    own = done.context
    mesh = own.in_face.fine
    nose = own.projection.vertices[[model.template.landmark_index(NOSE_TIP)]]
    paint = np.tile([0.8, 0.5, 0.3], (len(mesh.vertices), 1))
    paint[np.argmax(np.linalg.norm(mesh.vertices - nose, axis=1))] = np.nan
    painted = replace(own.in_face, fine=replace(mesh, colors=paint))
    colours = completed_face(replace(done.state, in_face=painted)).colors
    same = np.isclose(colours, [0.8, 0.5, 0.3], atol=0.01).all(axis=1)
    assert np.isfinite(colours).all() and same[done.provenance != Provenance.OBSERVED].mean() > 0.9


def scan_gap(result, scan):
    """Mean distance of a scan's vertices to the completed face, mm."""
    return Surface(result.face).closest(scan.vertices).distance.mean()


def test_seen_skin_lies_on_the_scan(done, partial):
    assert scan_gap(done, partial.scan) < 0.15


def test_missing_skin_is_near_the_truth(done, partial, truth):
    hidden = np.setdiff1d(np.arange(len(truth.vertices)), partial.vertex)
    gap = Surface(done.face).closest(partial.pose.apply(truth.vertices[hidden])).distance
    assert gap.mean() < 1.5


def test_pose_is_rigid(done):
    assert done.pose.scale == 1.0
    assert np.linalg.det(done.pose.rotation) == pytest.approx(1.0, abs=1e-12)


def test_result_follows_the_scan_in_any_pose_order_and_unit(done, moved):
    other, way = moved
    assert other.report.unit == "cm"
    gap = np.linalg.norm(way.inverse().apply(other.face.vertices) - done.face.vertices, axis=1)
    assert gap.max() < 0.01
    assert np.abs(other.sigma_mm - done.sigma_mm).max() < 0.01
    assert (other.provenance != done.provenance).mean() < 1e-3


def test_result_of_a_mirrored_scan_is_mirrored(done, mirrored, model):
    mirror = model.template.mirror
    gap = np.linalg.norm(mirrored.face.vertices[mirror] * [-1, 1, 1] - done.face.vertices, axis=1)
    assert gap.max() < 0.01


def test_more_seen_never_makes_the_seen_part_worse(done, partial, truth, model):
    """The scan with its nose, against the one without: where both see, the larger one is as near to the scan."""
    whole = Mesh(partial.pose.apply(truth.vertices), truth.faces)
    noisy = whole.vertices.copy()
    noisy[partial.vertex] = partial.scan.vertices
    more = complete(whole.with_vertices(noisy), model=model)
    assert scan_gap(more, partial.scan) < scan_gap(done, partial.scan) + 0.005


def test_merged_keeps_the_scan_untouched(done, partial):
    scan = partial.scan
    assert np.array_equal(done.merged.vertices[: len(scan.vertices)], scan.vertices)
    assert np.array_equal(done.merged.faces[: len(scan.faces)], scan.faces)
    assert len(done.merged.faces) == len(scan.faces) + len(done.patch.faces)


def test_provenance_tells_the_scan_from_the_rest(done, partial):
    count = len(partial.scan.vertices)
    assert (done.merged_provenance[:count] == Provenance.OBSERVED).all()
    assert (done.merged_provenance[count:] != Provenance.OBSERVED).all()
    gap = Surface(partial.scan).closest(done.face.vertices).distance
    assert gap[done.provenance == Provenance.OBSERVED].max() < 0.7
    report = done.report
    assert report.observed_share + report.made_up_share == pytest.approx(1.0)


def test_sigma_is_larger_in_the_hole_and_grows_into_it(done, partial):
    made = done.provenance != Provenance.OBSERVED
    depth = Surface(partial.scan).closest(done.face.vertices).distance
    sigma = done.sigma_mm
    assert sigma[made & (depth > 3)].min() > np.quantile(sigma[~made], 0.99)
    rings = [np.median(sigma[made & (depth > low) & (depth < high)]) for low, high in ((0, 2), (2, 6), (6, 15))]
    assert rings == sorted(rings)
    assert len(done.merged_sigma_mm) == len(done.merged.vertices)


def test_samples_keep_what_was_measured(done, partial):
    drawn = done.samples(3, seed=5)
    count = len(partial.scan.vertices)
    for sample in drawn:
        step = np.linalg.norm(sample.face.vertices - done.face.vertices, axis=1)
        assert step[done.provenance == Provenance.OBSERVED].max() < 1e-3
        assert step.max() > 0.2
        assert np.array_equal(sample.merged.vertices[:count], partial.scan.vertices)
    assert not np.array_equal(drawn[0].face.vertices, drawn[1].face.vertices)
    assert np.array_equal(drawn[2].face.vertices, done.samples(3, seed=5)[2].face.vertices)


def test_spread_of_samples_is_what_sigma_says(done):
    """In the middle of the hole, where the samples are free."""
    deep = done.sigma_mm > np.quantile(done.sigma_mm[done.provenance != Provenance.OBSERVED], 0.3)
    deep &= (done.provenance != Provenance.OBSERVED) & (
        np.linalg.norm(done.pose.apply(done.face.vertices), axis=1) < 15
    )
    normals = vertex_normals(done.face.vertices, done.face.faces)[deep]
    drawn = np.stack([s.face.vertices[deep] - done.face.vertices[deep] for s in done.samples(40, seed=1)])
    spread = np.einsum("snd,nd->sn", drawn, normals).std(axis=0)
    ratio = spread.mean() / done.sigma_mm[deep].mean()
    assert 0.5 < ratio < 1.1


def test_dragged_point_moves_and_measured_skin_does_not(done, model):
    tip = model.template.landmark_index(NOSE_TIP)
    goal = done.face.vertices[tip] + done.pose.inverse().rotate(np.array([[0.0, 0.0, 2.0]]))[0]
    pulled = done.refit({NOSE_TIP: goal})
    step = np.linalg.norm(pulled.face.vertices - done.face.vertices, axis=1)
    assert np.linalg.norm(pulled.face.vertices[tip] - goal) < 0.4
    assert step[done.provenance == Provenance.OBSERVED].max() < 1e-3
    assert (step > 0.5).sum() > 100  # the rest of the nose follows
    again = pulled.refit({NOSE_TIP: done.face.vertices[tip]})
    assert np.linalg.norm(again.face.vertices[tip] - done.face.vertices[tip]) < 0.4


def test_what_a_moved_completion_rests_on_moves_along(done):
    """A part is designed on the join in the face frame: it must be the join of this face, not of the first one."""
    tip = done.template.landmark_index(NOSE_TIP)
    goal = done.face.vertices[tip] + done.pose.inverse().rotate(np.array([[0.0, 0.0, 1.0]]))[0]
    for moved in (done.refit({NOSE_TIP: goal}), done.samples(1, seed=4)[0]):
        joined = moved.context.stitched
        assert np.abs(moved.merged.vertices - done.merged.vertices).max() > 0.3
        assert np.abs(joined.merged.vertices - moved.pose.apply(moved.merged.vertices)).max() < 1e-3
        assert np.abs(joined.face.vertices - moved.pose.apply(moved.face.vertices)).max() < 1e-3
        assert np.array_equal(joined.patch.vertices, joined.merged.vertices[joined.patch_vertices])


def test_relief_of_the_first_face_is_not_kept_on_another(done):
    skinned = replace(done, detail=object(), state=replace(done.state, detail_choice="own"))
    assert skinned.samples(1, seed=4)[0].detail is None
    assert skinned.detail is not None


def test_measured_points_cannot_be_dragged(done):
    with pytest.raises(ValueError, match="observed surface"):
        done.refit({"left_cheilion": np.zeros(3)})


def test_wrong_use_is_said(done, partial, model):
    with pytest.raises(ValueError, match="nose_tip"):
        done.refit({"nosetip": np.zeros(3)})
    with pytest.raises(ValueError, match="negative"):
        done.samples(-1)
    with pytest.raises(ValueError, match="unit must be one of"):
        complete(partial.scan, unit="furlong", model=model)
    with pytest.raises(ScanError, match="too few"):
        complete(Mesh(np.eye(3) * 100, [[0, 1, 2]]), model=model)


def test_landmarks_lead_to_the_same_face_and_unknown_names_are_refused(done, partial, model):
    template = model.template
    names = ("left_exocanthion", "right_exocanthion", "left_cheilion", "right_cheilion")
    points = {name: done.face.vertices[template.landmark_index(name)] for name in names}
    told = complete(partial.scan, landmarks=points, model=model)
    gap = np.linalg.norm(told.face.vertices - done.face.vertices, axis=1)
    assert gap[done.provenance == Provenance.OBSERVED].mean() < 0.1
    with pytest.raises(ValueError, match="chinn"):
        complete(partial.scan, landmarks=dict.fromkeys(("chinn", *names), np.zeros(3)), model=model)


def test_too_little_is_refused_with_figures(partial, model):
    demanding = CompletionSettings()
    demanding = replace(demanding, acceptance=replace(demanding.acceptance, least_observed=0.99, least_piece=0.99))
    points = {
        name: partial.pose.apply(model.template.vertices[[model.template.landmark_index(name)]])[0]
        for name in ("left_exocanthion", "right_exocanthion", "left_cheilion")
    }
    with pytest.raises(FitError, match=r"only \d+% of the face is observed in the scan, at least 99%"):
        complete(partial.scan, landmarks=points, model=model, settings=demanding)
    picky = replace(demanding, acceptance=AcceptanceThresholds(least_score=1.1))
    with pytest.raises(AlignmentError, match=r"at best \d+% of a face is explained \(needed 110%\)"):
        complete(partial.scan, landmarks=points, model=model, settings=picky)


def test_two_faces_in_one_scan_are_refused_unless_landmarks_say_which(model):
    """The faces of two people side by side, the second turned by half a radian."""
    first, second = (model.sample(seed, level=1) for seed in (0, 1))
    beside = Similarity(rotation_from_vector([0.0, 0.5, 0.0]), np.array([230.0, 20.0, 10.0]))
    vertices = np.concatenate([first.vertices, beside.apply(second.vertices)])
    both = Mesh(vertices, np.concatenate([first.faces, second.faces + len(first.vertices)]))
    search = COMPLETION.without("read", "load model").up_to("align")
    start = CompletionState(raw=both, unit="mm", model=model)
    with pytest.raises(AlignmentError, match=r"two faces: \d+% of one is explained, and \d+% of another 2\d\d mm away"):
        search.run(start)
    names = ("nose_tip", "left_exocanthion", "right_exocanthion", "menton")
    meant = {n: beside.apply(second.vertices[[model.template.landmark_index(n)]])[0] for n in names}
    found = search.run(replace(start, landmarks=meant)).hypothesis
    assert np.abs(found.pose.apply(meant["nose_tip"][None])).max() < 15.0


def test_a_shape_that_no_face_has_is_refused_after_the_fit(partial, model):
    picky = CompletionSettings()
    picky = replace(picky, acceptance=replace(picky.acceptance, most_fitted_prior=0.01))
    search = COMPLETION.without("read", "load model").up_to("align")
    found = search.run(CompletionState(raw=partial.scan, model=model, settings=picky))
    with pytest.raises(FitError, match=r"a shape \d\.\d times as unusual as a face \(at most 0.01\), 0\.\d\d mm from"):
        check_shape(fit(found))
    assert check_shape(fit(replace(found, settings=CompletionSettings()))).fit.converged


def test_stages_are_named_timed_left_out_replaced_and_joined(partial, model):
    """What runs is what the pipeline names, in its order, and a changed pipeline leaves the first one as it is."""
    asked = []

    def look(state):
        asked.append(len(state.projection.vertices))
        return replace(state, warnings=(*state.warnings, "looked"))

    short = COMPLETION.without("guide", "detail").insert_after("project", Stage("look", look))
    told = []
    done = complete(partial.scan, model=model, pipeline=short, progress=lambda name, share: told.append((name, share)))
    assert [name for name, _ in told] == list(short.names) == list(done.report.seconds)
    shares = [share for _, share in told]
    assert shares == sorted(shares) and shares[0] == 0.0 and shares[-1] < 1.0
    assert asked == [len(model.template.vertices)] and "looked" in done.report.warnings
    assert "look" not in COMPLETION.names and "guide" in COMPLETION.names
    with pytest.raises(ValueError, match="there is no stage 'polish'; the stages are read, "):
        COMPLETION.without("polish")


def test_a_stage_that_comes_too_early_says_what_it_lacks(model):
    with pytest.raises(ValueError, match="needs what the stage 'clean' finds"):
        COMPLETION.starting_at("fit").run(CompletionState(model=model))


def test_samples_do_not_hang_on_how_many_are_drawn_and_say_what_they_are(done):
    one, three = done.sample(seed=5), done.samples(3, seed=5)
    assert np.array_equal(one.face.vertices, three[0].face.vertices)
    assert [s.report.kind for s in three] == [f"sample {k} of seed 5" for k in range(3)]
    assert done.report.kind == "most likely"


def test_what_can_be_asked_of_a_completion(done, partial, model):
    assert set(done.landmarks) == set(model.template.landmarks)
    at = model.template.landmark_index(NOSE_TIP)
    assert any(np.array_equal(point, done.face.vertices[at]) for point in done.landmarks.values())
    assert sum(done.regions.values()).all()
    assert np.array_equal(done.merged.vertices[: len(done.scan.vertices)], done.scan.vertices)
    areas = [hole.area_mm2 for hole in done.holes]
    assert areas == sorted(areas, reverse=True) and areas[-1] > 0
    assert all(len(repr(value)) < 200 for value in (done, done.holes[0], done.face, done.model, done.template))
    (nose,) = (hole for hole in done.holes if hole.region == "nose")
    assert np.linalg.norm(done.pose.apply(nose.centre[None])) < 25.0
    assert (nose.faces >= len(done.scan.faces)).all()
    assert sum(nose.regions_mm2.values()) == pytest.approx(nose.area_mm2)
    assert "observed" in repr(done) and len(repr(done)) < 120


def test_a_notebook_shows_a_picture_and_figures(done):
    text = done._repr_html_()
    assert "data:image/png;base64," in text and f"{done.report.observed_share:.0%} of the surface" in text
    assert done.show() is not None
