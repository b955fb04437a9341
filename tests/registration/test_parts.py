"""Sliding, superposition, the model of a set, and landmark files."""

import csv
import json

import numpy as np
import pytest

from facecom.errors import CheckpointError
from facecom.geometry.correspondence import Correspondences, OrientedSurface
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.landmarks import read_landmarks
from facecom.model.expressions import ExpressionBasis
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL
from facecom.registration import RelaxSettings, linear_model, procrustes, write_landmarks
from facecom.registration.expression import expression_weights
from facecom.registration.population import _about_mean, mirrored_faces
from facecom.registration.relax import relax

STILL = Similarity()


@pytest.fixture(scope="module")
def model():
    return LinearGenerator.load()


@pytest.fixture(scope="module")
def faces(model):
    """Five faces of the model in slightly different poses."""
    rng = np.random.default_rng(4)
    poses = [Similarity(rotation_from_vector(rng.normal(size=3) * 0.05), rng.normal(size=3) * 3) for _ in range(5)]
    found = [pose.apply(model.sample(seed).vertices) for seed, pose in enumerate(poses)]
    for face in found:
        face.setflags(write=False)
    return found


@pytest.fixture(scope="module")
def made(model, faces):
    return linear_model(faces, model)


def on(mesh):
    """Partners on a surface."""
    surface = OrientedSurface(mesh)
    return lambda at, normals, reach: surface.match(at, normals, pose=STILL, reach_mm=reach, normal_limit_rad=1.0)


def test_a_face_that_moved_without_bending_stays_where_it_is(sheet):
    flat = sheet(12, 12)
    moved = flat.vertices + [3.0, -2.0, 0.0]
    bigger = sheet(40, 40).with_vertices(sheet(40, 40).vertices - [10, 10, 0])
    np.testing.assert_allclose(relax(moved, flat.vertices, flat.faces, on(bigger)), moved, atol=1e-6)


def test_sliding_takes_out_ripples_along_the_surface_and_stays_on_it(sheet):
    flat = sheet(20, 20)
    ripple = np.zeros_like(flat.vertices)
    ripple[:, :2] = np.random.default_rng(1).normal(size=(len(ripple), 2)) * 0.1
    lifted = np.random.default_rng(2).normal(size=len(ripple)) * 0.2
    fitted = flat.vertices + ripple + np.outer(lifted, [0, 0, 1])
    ground = sheet(40, 40).with_vertices(sheet(40, 40).vertices - [10, 10, 0])
    stiff = RelaxSettings(slide_mm=50.0)
    slid = relax(fitted, flat.vertices, flat.faces, on(ground), settings=stiff)
    assert np.abs(slid[:, 2]).max() < 0.05 * np.abs(lifted).max()
    assert np.std(slid - flat.vertices, axis=0)[:2].max() < 0.35 * 0.1


def test_what_the_scan_does_not_show_stays_where_the_model_put_it(sheet):
    flat = sheet(16, 16)
    fitted = flat.vertices + 0.3 * np.sin(flat.vertices[:, [1, 0, 1]] / 5.0)

    def nothing(at, normals, reach):
        return Correspondences(at, normals, np.zeros(len(at)), np.zeros(len(at), bool))

    soft = RelaxSettings(bending=1.0)
    np.testing.assert_allclose(relax(fitted, flat.vertices, flat.faces, nothing, settings=soft), fitted, atol=1e-2)


@pytest.mark.parametrize("with_scale", [False, True])
def test_superposition_takes_out_pose_and_size_where_asked(with_scale):
    rng = np.random.default_rng(0)
    shape = rng.normal(size=(40, 3))
    sizes = (1.0, 1.3, 0.7) if with_scale else (1.0, 1.0, 1.0)
    copies = [
        Similarity(rotation_from_vector(rng.normal(size=3)), rng.normal(size=3), scale=size).apply(shape)
        for size in sizes
    ]
    found = procrustes(copies, with_scale=with_scale)
    np.testing.assert_allclose(found.faces, np.broadcast_to(found.mean, (3, 40, 3)), atol=1e-5)
    spread = np.linalg.norm(found.mean - found.mean.mean(0)) / np.linalg.norm(shape - shape.mean(0))
    assert spread == pytest.approx(1.0, abs=1e-5)
    for pose, copy, face in zip(found.poses, copies, found.faces, strict=True):
        np.testing.assert_allclose(pose.apply(copy), face)
        assert with_scale or pose.scale == 1.0


def test_faces_of_different_shapes_are_refused():
    with pytest.raises(ValueError, match="one shape"):
        procrustes([np.zeros((4, 3)), np.zeros((5, 3))])


def test_the_model_of_a_set_is_symmetric_and_in_the_face_frame(made, model):
    template, count = made.template, made.template.counts[SHAPE_LEVEL]
    np.testing.assert_allclose(mirrored_faces(template.vertices, template.mirror), template.vertices, atol=1e-9)
    tip = template.landmark_index("nose_tip")
    np.testing.assert_allclose(template.vertices[tip], model.template.vertices[tip], atol=1e-6)
    sign = np.where(made.mode_odd, -1.0, 1.0)[:, None, None]
    np.testing.assert_allclose(mirrored_faces(made.modes, template.mirror[:count]) * sign, made.modes, atol=1e-4)
    assert made.mode_odd.any() and not made.mode_odd.all()
    assert len(made.modes) <= 2 * 5 - 1


def test_the_modes_span_the_faces_with_unit_variance(made, model, faces):
    count = made.template.counts[SHAPE_LEVEL]
    _, apart = _about_mean(faces, model.template, with_scale=False)
    apart = apart[:, :count].reshape(len(faces), -1)
    basis = made.modes.reshape(len(made.modes), -1).astype(float)
    codes = apart @ np.linalg.pinv(basis)
    left = apart - codes @ basis
    assert np.sqrt(np.mean(left**2)) < 1e-3 * np.sqrt(np.mean(apart**2))
    np.testing.assert_allclose(np.sum(codes**2, axis=0) / (len(faces) - 1), 1.0, rtol=1e-3)


def test_a_share_of_the_old_model_is_added_and_a_rank_is_kept(made, model, faces):
    mixed = linear_model(faces, model, rank=3, base_share=0.25)
    assert len(mixed.modes) == 3 + len(model.modes)
    np.testing.assert_allclose(mixed.modes[:3], made.modes[:3], atol=1e-5)
    np.testing.assert_allclose(mixed.modes[3:], 0.5 * model.modes, atol=1e-5)


def test_the_model_survives_the_disk(made, tmp_path):
    made.save(tmp_path / "model")
    back = LinearGenerator.load(tmp_path / "model")
    code = np.random.default_rng(0).normal(size=made.code_size)
    np.testing.assert_allclose(back.decode(code, level=2), made.decode(code, level=2), atol=0.02)
    assert back.description["faces"] == 5


@pytest.mark.parametrize(
    ("count", "options", "text"),
    [(2, {}, "at least 3"), (4, {"base_share": -1.0}, "negative")],
)
def test_what_makes_no_model_is_refused(model, faces, count, options, text):
    with pytest.raises(ValueError, match=text):
        linear_model(faces[:count], model, **options)


def test_faces_of_another_topology_make_no_model(model):
    with pytest.raises(ValueError, match="topology"):
        linear_model([np.zeros((7, 3))] * 3, model)


def test_an_expression_is_told_from_the_person(model):
    """A smile with an open mouth comes out; faces without expression keep their shape: the mean of four people."""
    moves = ExpressionBasis.load()
    count = model.template.counts[FIT_LEVEL]
    weights = np.zeros(len(moves.names))
    for name, weight in {"jawOpen": 0.6, "mouthSmile_L": 0.5, "mouthSmile_R": 0.5}.items():
        weights[moves.names.index(name)] = weight
    change = np.tensordot(weights, moves.modes, axes=1)
    moved = np.linalg.norm(change, axis=1) > 2.0
    assert moved.sum() > 100
    lost, felt = [], []
    for seed in range(4):
        neutral = model.sample(seed, level=FIT_LEVEL).vertices
        assert len(neutral) == count
        left = neutral + change - np.tensordot(expression_weights(neutral + change, model, moves), moves.modes, axes=1)
        untouched = np.tensordot(expression_weights(neutral, model, moves), moves.modes, axes=1)
        lost.append(np.linalg.norm((left - neutral)[moved], axis=1).mean())
        felt.append(np.linalg.norm(untouched, axis=1).mean())
    assert np.mean(lost) < 0.2 * np.linalg.norm(change[moved], axis=1).mean() and np.mean(felt) < 0.6


def test_expressions_survive_the_disk_and_damage_is_seen(tmp_path):
    moves = ExpressionBasis.load()
    moves.save(tmp_path)
    np.testing.assert_allclose(ExpressionBasis.load(tmp_path).modes, moves.modes, atol=1e-3)
    data = (tmp_path / "weights.safetensors").read_bytes()
    (tmp_path / "weights.safetensors").write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    with pytest.raises(CheckpointError, match="damaged"):
        ExpressionBasis.load(tmp_path)


def test_an_expression_of_another_topology_is_refused(model):
    with pytest.raises(ValueError, match="expected vertices"):
        expression_weights(np.zeros((5, 3)), model, ExpressionBasis.load())


LANDMARKS = {"nose_tip": np.array([0.1, -2.5, 1 / 3]), "jaw_9": np.array([1e-9, 80.0, -1.0])}


def test_landmarks_come_back_from_each_format(tmp_path):
    for ending in ("csv", "json", "mrk.json"):
        write_landmarks(tmp_path / f"points.{ending}", LANDMARKS)
    rows = list(csv.DictReader((tmp_path / "points.csv").read_text(encoding="utf-8").splitlines()))
    slicer = json.loads((tmp_path / "points.mrk.json").read_text(encoding="utf-8"))["markups"][0]
    found = (
        {row["name"]: [float(row[k]) for k in "xyz"] for row in rows},
        read_landmarks(tmp_path / "points.json"),
        {point["label"]: point["position"] for point in slicer["controlPoints"]},
    )
    for points in found:
        assert list(points) == list(LANDMARKS)
        for name, point in points.items():
            np.testing.assert_array_equal(point, LANDMARKS[name])
    assert slicer["type"] == "Fiducial" and slicer["coordinateSystem"] == "LPS"


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"\.csv"):
        write_landmarks(tmp_path / "points.txt", LANDMARKS)
    assert not list(tmp_path.iterdir())
