"""Scans with known correspondence come out in the template's topology, whole or partial, in their own frame."""

import json
from dataclasses import replace

import numpy as np
import pytest

import facecom
from facecom.__main__ import main
from facecom.completion import AcceptanceThresholds, CompletionSettings
from facecom.errors import FitError
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan_file, write_mesh
from facecom.model.checkpoint import load_model
from facecom.model.linear.generator import LinearGenerator
from facecom.registration import RegistrationSettings, write_registrations
from facecom.registration.correspondence import scan_names

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def truths(model):
    return [model.sample(seed, level=2) for seed in (5, 9)]


@pytest.fixture(scope="module")
def scans(truths):
    """A whole face in metres, and one without its nose in mm, each in a pose of its own."""
    whole = Mesh(truths[0].vertices, truths[0].faces)
    settings = ScanSettings(noise_mm=0.02, max_angle=0.5)
    turned = partial_scan(whole, "ear", seed=1, settings=replace(settings, unit="m"))
    return [turned, partial_scan(truths[1], "nose", seed=2, settings=settings)]


@pytest.fixture(scope="module")
def registered(scans, model):
    calls = []
    found = facecom.register([s.scan for s in scans], model=model, progress=lambda *call: calls.append(call))
    assert calls == [("scan_1", 0.0), ("scan_2", 0.5)]
    return found


def test_vertices_lie_on_the_same_spot_as_in_the_truth(registered, scans, truths, model):
    for result, scan, truth in zip(registered, scans, truths, strict=True):
        count = model.template.counts[2]
        x, y, z = model.template.vertices[:count].T
        face = (np.hypot(x, y - 10) < 80) & (z > -70) & result.observed[:count]
        true = scan.pose.apply(truth.vertices)[face]
        mean = result.pose.inverse().apply(model.template.vertices[:count])
        guesses = result.vertices[:count], mean
        apart, by_mean = (np.linalg.norm(g[face] - true, axis=1).mean() * result.mm_per_unit for g in guesses)
        assert face.sum() > 3000
        assert apart < 2.0
        assert apart < 0.5 * by_mean


def test_frame_and_unit_are_the_scans(registered, scans):
    assert [r.unit for r in registered] == ["m", "mm"]
    for result, scan in zip(registered, scans, strict=True):
        np.testing.assert_allclose(result.pose.apply(result.vertices), result.in_face_frame, atol=1e-6)
        near = facecom.Surface(Mesh(result.vertices * result.mm_per_unit, result.mesh.faces))
        known = scan.vertex >= 0
        assert np.median(near.closest(scan.scan.vertices[known] * result.mm_per_unit).distance) < 0.05


def test_the_hole_is_not_called_measured(registered, scans, truths, model):
    count = model.template.counts[2]
    inside = np.ones(count, bool)
    inside[truths[1].faces[~scans[1].removed].ravel()] = False
    assert inside.sum() > 100
    result = registered[1]
    assert result.observed[:count][inside].mean() < 0.2
    np.testing.assert_array_equal(np.isnan(result.residual_mm), ~result.observed)
    assert np.nanmean(result.residual_mm) < 0.1
    made, known = result.sigma_mm[~result.observed], result.sigma_mm[result.observed]
    assert made.min() > known.max()
    assert made.mean() > 2 * known.mean()


def test_landmarks_are_those_of_the_template(registered, scans, truths, model):
    result, scan = registered[0], scans[0]
    assert set(result.landmarks) == set(model.template.landmarks)
    for name in ("left_eye_1", "outer_lip_1", "nose_base_3"):
        at = model.template.landmark_index(name)
        true = model.template.prolong(truths[0].vertices, from_level=2)[at]
        apart = result.mm_per_unit * np.linalg.norm(result.landmarks[name] - scan.pose.apply(true))
        assert apart < 3.0, name


def test_the_verdict_says_what_was_seen(registered):
    for result in registered:
        assert result.good
        assert f"{result.coverage:.0%} of the face is observed" in result.verdict


def test_enough_is_asked_for_as_completion_asks(model):
    """Nose, mouth and inner cheeks alone, a piece of a face, are registered with reserve; else more must show."""
    face = model.sample(17, level=2)
    near = np.linalg.norm(face.vertices - [0, 5, -20], axis=1) < 50
    piece = face.submesh(near[face.faces].all(axis=1))[0]

    def asking(**asked):
        return RegistrationSettings(CompletionSettings(acceptance=AcceptanceThresholds(**asked)))

    (found,) = facecom.register([piece], unit="mm", model=model, settings=asking(least_observed=0.5))
    assert 0.15 < found.coverage < 0.5
    assert not found.good and "less than 60% is observed" in found.verdict
    with pytest.raises(
        FitError, match=r"scan_1: only \d+% of the face is observed in the scan, at least 50% is needed"
    ):
        facecom.register([piece], unit="mm", model=model, settings=asking(least_observed=0.5, least_piece=0.5))


def test_a_registration_converts_to_other_packages(registered):
    solid = registered[0].to_trimesh()
    np.testing.assert_array_equal(solid.vertices, registered[0].vertices)
    assert len(registered[0].to_open3d().triangles) == len(solid.faces)


def test_all_files_of_a_set_are_written(registered, model, tmp_path):
    more = [
        *registered,
        replace(registered[0], name="third", warnings=("a word",), in_face_frame=model.sample(1).vertices),
    ]
    write_registrations(more, tmp_path, model=model)
    names = {p.name for p in tmp_path.iterdir()}
    each = {f"{n}.{e}" for n in ("scan_1", "scan_2", "third") for e in ("ply", "csv", "json", "mrk.json")}
    assert names == {*each, "mean.ply", "report.json", "model"}
    made = LinearGenerator.load(tmp_path / "model")
    mean = facecom.read_scan(tmp_path / "mean.ply")
    np.testing.assert_allclose(mean.vertices, made.template.vertices, atol=1e-3)
    written = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    stored = read_scan_file(tmp_path / "scan_2.ply").attributes
    names = np.array(written["regions"])[stored["region"].astype(int)]
    assert np.array_equal(names == "nose", model.template.region_mask("nose"))
    np.testing.assert_array_equal(stored["observed"] > 0, registered[1].observed)
    np.testing.assert_allclose(stored["residual_mm"], registered[1].residual_mm, atol=1e-5)
    np.testing.assert_allclose(stored["sigma_mm"], registered[1].sigma_mm, rtol=1e-5)
    assert written["scans"]["scan_2"]["verdict"] == registered[1].verdict
    assert written["scans"]["third"]["warnings"] == ["a word"]
    assert made.description["base_share"] == pytest.approx(0.7)
    with pytest.raises(ValueError, match="no registrations"):
        write_registrations([], tmp_path)


@pytest.mark.parametrize("scans", ["scan.ply", [], Mesh(np.eye(3), [[0, 1, 2]]), (np.eye(3), np.array([[0, 1, 2]]))])
def test_anything_but_a_list_of_scans_is_refused(scans):
    with pytest.raises(ValueError, match="scan"):
        facecom.register(scans)


def test_an_error_names_the_scan():
    with pytest.raises(facecom.ScanError, match="scan_1: of .* triangles 1 can be used"):
        facecom.register([Mesh(np.eye(3), [[0, 1, 2]])])


def test_the_command_line_writes_nothing_when_a_scan_cannot_be_read(tmp_path, capsys):
    (tmp_path / "bad.ply").write_text("no mesh")
    assert main(["register", str(tmp_path / "bad.ply"), "--out", str(tmp_path / "out")]) == 2
    assert "bad" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


ONE_TRIANGLE = Mesh(np.eye(3), [[0, 1, 2]])


def test_files_are_read_before_any_work(tmp_path, scans):
    """The second of two scans is missing: the first is not begun."""
    calls = []
    with pytest.raises(facecom.ScanError, match=r"gone: .*gone\.ply does not exist"):
        facecom.register([scans[0].scan, tmp_path / "gone.ply"], progress=lambda *call: calls.append(call))
    assert calls == []


def test_what_fails_is_left_out_with_a_warning_when_asked(tmp_path):
    (tmp_path / "bad.ply").write_text("no mesh")
    with pytest.warns(UserWarning) as told:
        assert facecom.register([ONE_TRIANGLE, tmp_path / "bad.ply"], on_error="skip") == []
    assert [str(one.message).split(":")[0] for one in told] == ["bad", "scan_1"]
    with pytest.raises(ValueError, match="raise, skip"):
        facecom.register([ONE_TRIANGLE], on_error="ignore")


def test_landmarks_that_do_not_belong_to_a_scan_name_it(scans):
    with pytest.raises(ValueError, match=r"scan_1: landmark jaw_9 must be three finite numbers"):
        facecom.register([scans[0].scan], landmarks=[{"jaw_9": [0, np.nan, 0]}])


def test_names_of_scans_stay_clear_of_the_files_of_the_set():
    assert scan_names(["report.ply", "a/model.ply", "mean.obj", "report.obj"]) == [
        "report_2",
        "model_2",
        "mean_2",
        "report_3",
    ]


@pytest.mark.slow
def test_the_command_line_keeps_the_good_ones_and_lists_the_bad(tmp_path, scans, icosphere, capsys):
    write_mesh(tmp_path / "good.ply", scans[1].scan)
    write_mesh(tmp_path / "ball.ply", icosphere(4, radius=90.0))
    (tmp_path / "bad.ply").write_text("no mesh")
    files = [str(tmp_path / f"{name}.ply") for name in ("bad", "ball", "good", "gone")]
    assert main(["register", *files, "--out", str(tmp_path / "out"), "--unit", "mm", "--quiet"]) == 4
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert list(report["scans"]) == ["good"] and set(report["failed"]) == {"bad", "ball", "gone"}
    for name, sentence in report["failed"].items():
        assert sentence.startswith(name) and f"failed: {sentence}" in said
    assert "3 of 4 scans failed" in said and "good: registered" in said
    assert {p.name for p in (tmp_path / "out").glob("*.ply")} == {"good.ply", "mean.ply"}


@pytest.mark.slow
def test_a_registered_set_trains_a_network_that_knows_how_few_its_faces_were(
    registered, model, scans, tmp_path, capsys
):
    """register -> train -> complete --model: three faces, in metres and in millimetres, in poses of their own."""
    turned = replace(registered[0], name="third")
    write_registrations([*registered, turned], tmp_path / "set", model=model)
    sizes = ["--code", "4", "--epochs", "1", "--faces", "24", "--quiet"]
    assert main(["train", str(tmp_path / "set"), "--out", str(tmp_path / "net"), *sizes]) == 0
    assert "3 faces" in (said := capsys.readouterr().out) and "70% of the shipped model's variance" in said
    trained = load_model(tmp_path / "net")
    assert trained.description["faces"] == 3
    mean = np.mean([result.in_face_frame for result in registered], axis=0)
    count = trained.template.counts[2]
    assert np.abs(trained.template.vertices[:count] - mean[:count]).mean() < 3.0
    write_mesh(tmp_path / "scan.ply", scans[1].scan)
    options = ["--model", str(tmp_path / "net"), "--unit", "mm", "--out", str(tmp_path / "done"), "--quiet"]
    status, said = main(["complete", str(tmp_path / "scan.ply"), *options]), capsys.readouterr().err
    assert status == 0 or (status == 3 and "made of 3 faces" in said and "look like a face" not in said)


@pytest.mark.parametrize("names", [["bad"], ["bad", "gone"]], ids=len)
def test_when_all_fail_nothing_is_written(tmp_path, names, capsys):
    (tmp_path / "bad.ply").write_text("no mesh")
    files = [str(tmp_path / f"{name}.ply") for name in names]
    assert main(["register", *files, "--out", str(tmp_path / "out"), "--quiet"]) == 2
    said = capsys.readouterr()
    assert said.err.count("\n") == 1 and all(name in said.err for name in names)
    assert not (tmp_path / "out").exists()


def test_landmarks_lead_to_the_same_face_and_must_be_one_mapping_a_scan(scans, registered, model):
    """Named points of the registered face, in the scan's own frame, give it again."""
    names = ("left_exocanthion", "right_exocanthion", "left_cheilion", "right_cheilion")
    found = registered[0]
    points = {name: found.vertices[model.template.landmark_index(name)] for name in names}
    (told,) = facecom.register([scans[0].scan], unit="m", landmarks=[points], model=model)
    apart = np.linalg.norm(told.in_face_frame - found.in_face_frame, axis=1)
    assert apart[found.observed].mean() < 0.3
    with pytest.raises(ValueError, match="one mapping"):
        facecom.register([scans[0].scan], landmarks=points, model=model)
    with pytest.raises(ValueError, match="one mapping"):
        facecom.register([scans[0].scan], landmarks=[points, None], model=model)


def test_one_registration_is_saved_by_itself(registered, tmp_path):
    registered[0].save(tmp_path / "deeper")
    assert {p.name for p in (tmp_path / "deeper").iterdir()} == {
        f"{registered[0].name}.{ending}" for ending in ("ply", "csv", "json", "mrk.json")
    }
    assert registered[0].verdict in repr(registered[0])
