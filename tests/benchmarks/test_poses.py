"""The harder scans are what their names say, and a perfect completion scores zero whatever the pose and unit."""

from types import SimpleNamespace

import numpy as np
import pytest

from facecom.errors import AlignmentError
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.model.linear.generator import LinearGenerator


@pytest.fixture(scope="module")
def variants(script):
    pytest.importorskip("manifold3d")
    return script("scan_degradations")


@pytest.fixture(scope="module")
def poses(script, variants):
    return script("poses")


@pytest.fixture(scope="module")
def head(poses):
    mesh = LinearGenerator.load().sample(300, level=1)
    return poses.Head("drawn", mesh, poses.true_points(mesh, count=3000))


@pytest.fixture(scope="module")
def made(variants, head):
    return {kind.__name__: kind(head.mesh, np.random.default_rng(3)) for kind in variants.VARIANTS}


def test_what_is_kept_lies_on_the_head_and_is_never_all_of_it(head, made):
    for name, variant in made.items():
        surface = Surface(head.mesh)
        assert surface.closest(variant.kept.vertices).distance.max() < 1e-4, name
        gone = Surface(variant.kept).closest(head.truth).distance > 0.5
        assert 0.01 < gone.mean() < 0.9, name


def test_kinds_do_what_they_say(head, made):
    assert np.array_equal(made["inside_out"].scan.faces[0, ::-1], made["inside_out"].kept.faces[0])
    assert not len(made["points"].scan.faces) and made["points"].scan.normals is None
    assert made["points_with_normals"].scan.normals is not None
    assert (made["centimetres"].unit, made["metres"].unit) == ("cm", "m")
    soup = made["mixed_triangles"].scan
    assert len(soup.vertices) == 3 * len(soup.faces)
    assert np.ptp(made["wall"].scan.vertices[:, 0]) > 600
    assert made["shoulders"].scan.vertices[:, 1].min() < head.mesh.vertices[:, 1].min() - 100


def test_a_perfect_completion_scores_zero_whatever_the_pose_and_unit(poses, head, made, monkeypatch):
    """The completer is told the motion by drawing it once more."""
    variant = made["metres"]
    _, motion = poses.placed(variant, np.random.default_rng(5))
    report = SimpleNamespace(unit="m", score=1.0, coverage=0.5, fit_rms_mm=0.1, seconds={})
    face = Mesh(motion.apply(head.mesh.vertices), head.mesh.faces)
    done = SimpleNamespace(pose=motion.inverse(), face=face, report=report)
    monkeypatch.setattr(poses, "complete", lambda *_, **__: done)
    row = poses.scored(head, variant, np.random.default_rng(5))
    assert row["degrees"] < 1e-4 and row["mm_off"] < 1e-6
    assert row["missing"] < 1e-6 and row["seen"] < 1e-6
    assert not poses.failed(row)
    done.pose = Similarity(rotation_from_vector([0, 0.3, 0])) @ done.pose
    row = poses.scored(head, variant, np.random.default_rng(5))
    assert row["degrees"] == pytest.approx(np.degrees(0.3), abs=1e-6)
    assert poses.failed(row)


def test_a_refusal_is_a_failure_and_not_an_error(poses, head, made, monkeypatch):
    def refuse(*_, **__):
        raise AlignmentError("no face")

    monkeypatch.setattr(poses, "complete", refuse)
    row = poses.scored(head, made["turned"], np.random.default_rng(0))
    assert poses.failed(row) and "no face" in row["refused"]
    lines = list(poses.table([row | {"head": "drawn", "group": "pose", "kind": "turned", "number": 0}]))
    assert lines[2].startswith("| turned | 1 | 1 | 0 |")


def test_crops_leave_something_and_not_everything(poses, head):
    for name in poses.CROPS:
        kept = poses.crop(head.mesh, name).kept
        assert 0 < len(kept.faces) < 0.8 * len(head.mesh.faces), name
