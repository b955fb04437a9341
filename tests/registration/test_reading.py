"""What `register` writes is read back in the face frame; what is no set of registered faces is named."""

import json

import numpy as np
import pytest

from facecom.commands.training import on_finest_level, on_template
from facecom.errors import ScanError
from facecom.geometry.mesh import Mesh
from facecom.geometry.transform import Similarity, rotation_from_vector
from facecom.io.files import write_mesh
from facecom.model.linear.generator import LinearGenerator
from facecom.registration.reading import read_registered, registration_report

POSES = {
    "anna": Similarity(rotation_from_vector([0.3, -2.0, 0.5]), np.array([50.0, 10.0, -900.0]), 1000.0),
    "bert": Similarity(rotation_from_vector([3.0, 0.0, 0.5]), np.array([5.0, 1.0, 2.0]), 1.0),
}


@pytest.fixture(scope="module")
def template():
    return LinearGenerator.load().template


@pytest.fixture(scope="module")
def faces():
    return {name: LinearGenerator.load().sample(k).vertices for k, name in enumerate(POSES)}


@pytest.fixture
def folder(faces, template, tmp_path):
    """As `register` writes it: faces in their scans' own frames and units, the poses in the report."""
    for name, pose in POSES.items():
        write_mesh(tmp_path / f"{name}.ply", Mesh(pose.inverse().apply(faces[name]), template.faces[3]))
    write_mesh(tmp_path / "mean.ply", template.mesh())
    scans = {name: {"pose": pose.matrix().tolist()} for name, pose in POSES.items()}
    (tmp_path / "report.json").write_text(json.dumps({"scans": scans, "regions": []}))
    return tmp_path


def test_faces_come_back_in_the_face_frame(folder, faces, template):
    found = read_registered(folder, template)
    np.testing.assert_allclose(found, np.array(list(faces.values())), atol=1e-3)


def edited(folder, edit):
    report = json.loads((folder / "report.json").read_text())
    edit(report)
    (folder / "report.json").write_text(json.dumps(report))


DAMAGE = {
    "pose of another": (lambda r: r["scans"].update(anna=r["scans"]["bert"]), "not in the face frame"),
    "no pose": (lambda r: r["scans"]["anna"].pop("pose"), "pose of anna.ply .* is damaged"),
    "sheared": (lambda r: r["scans"]["anna"]["pose"][0].__setitem__(0, 7.0), "is damaged"),
    "nan": (lambda r: r["scans"]["anna"]["pose"][0].__setitem__(0, float("nan")), "is damaged"),
    "mirrored": (lambda r: r["scans"].update(anna={"pose": np.diag([-1.0, 1, 1, 1]).tolist()}), "is damaged"),
    "missing": (lambda r: r["scans"].update(cleo={}), "cleo.ply does not exist"),
    "elsewhere": (lambda r: r["scans"].update({"../../etc/anna": {}}), "pose of anna.ply"),
    "empty": (lambda r: r["scans"].clear(), "lists none"),
    "of a completion": (lambda r: r.pop("scans"), "no set of registered faces"),
}


@pytest.mark.parametrize("fault", DAMAGE)
def test_what_is_damaged_is_named(folder, template, fault):
    edit, words = DAMAGE[fault]
    edited(folder, edit)
    with pytest.raises(ScanError, match=words):
        read_registered(folder, template)


def test_reports_that_are_none(tmp_path, template):
    assert registration_report(tmp_path) is None
    (tmp_path / "report.json").write_text("[" * 100_000)
    with pytest.raises(ScanError, match="damaged"):
        registration_report(tmp_path)
    (tmp_path / "report.json").write_text("[]")
    assert registration_report(tmp_path) is None


def test_faces_without_their_poses_are_no_training_set(folder, faces, template):
    """The same meshes without the report: today's frames of three scanners are not averaged into one face."""
    own = [POSES[name].inverse().apply(face) for name, face in faces.items()]
    with pytest.raises(ScanError, match=r"anna\.ply is not in the face frame in mm .*report\.json"):
        on_template(np.array(own), template.faces[3], template, names=["anna.ply", "bert.ply"])
    kept = np.array(list(faces.values()))
    assert on_template(kept, template.faces[3], template) is kept


def test_a_coarser_face_keeps_its_vertices_on_the_finest_level(faces, template):
    count = template.counts[2]
    fine = on_finest_level(faces["anna"][:count], template)
    np.testing.assert_array_equal(fine[:count], faces["anna"][:count])
    assert np.abs(fine - faces["anna"]).max() < 1.0
    assert on_finest_level(faces["anna"], template) is faces["anna"]
