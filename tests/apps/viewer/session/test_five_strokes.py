"""A wound painted in the viewer with five ragged strokes is what the command line leaves out for the same wound."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from scipy.spatial import cKDTree

from facecom.apps.viewer.http.uploads import UploadedScan
from facecom.apps.viewer.scene.brush import Brush, ViewerCamera
from facecom.apps.viewer.scene.scan_scene import paintable_mesh
from facecom.apps.viewer.session import face_jobs
from facecom.apps.viewer.session.face_jobs import SharedModel
from facecom.apps.viewer.session.job_results import FaceDetection
from facecom.apps.viewer.session.mark_files import marks_file
from facecom.apps.viewer.session.marks import MarkKind, Tool
from facecom.apps.viewer.session.scan_unit import ScanUnit
from facecom.apps.viewer.session.session import Session
from facecom.commands.options import parser
from facecom.commands.running import mark_options
from facecom.completion import COMPLETION, CompletionState
from facecom.geometry.mesh import Mesh, face_areas, vertex_normals
from facecom.geometry.transform import Similarity

WOUND_CENTRE, WOUND_SEMI_AXES = np.array([-41.0, -14.0]), np.array([16.0, 15.0])
"""On the face as it is seen from the front, mm."""
DEPTH_MM, STEP_MM, SCAN_NOISE_MM = 4.0, 1.0, 0.05
STROKES, BRUSH_MM, RAGGED_MM = 5, 5.0, 1.5
APPLYING = COMPLETION.without("read", "load model").up_to("apply marks")


@pytest.fixture(scope="module")
def face(small_model):
    whole = small_model.sample(7, level=3)
    return whole.submesh((whole.vertices[whole.faces][..., 2] > -70.0).all(axis=1))[0]


@pytest.fixture(scope="module")
def wound(face):
    """Vertices of the face in the wound, the truth."""
    return (((face.vertices[:, :2] - WOUND_CENTRE) / WOUND_SEMI_AXES) ** 2).sum(axis=1) < 1.0


@pytest.fixture(scope="module")
def wounded(face, wound):
    """The face with a bed below its skin, which begins at a step, and a scanner's noise."""
    inside = np.minimum(cKDTree(face.vertices[~wound]).query(face.vertices)[0], STEP_MM) / STEP_MM
    bed = face.vertices - DEPTH_MM * (wound * inside)[:, None] * vertex_normals(face.vertices, face.faces)
    noise = np.random.default_rng(0).normal(0.0, SCAN_NOISE_MM, bed.shape)
    return Mesh(bed + noise, face.faces)


@pytest.fixture
def session(wounded):
    """The scan with its face found; nothing of it is missing."""
    nothing = Mesh(np.zeros((0, 3)), np.zeros((0, 3), np.int64))
    loaded = Session().load(UploadedScan("wound.ply", wounded), ScanUnit("mm"))
    return loaded.set_detection(FaceDetection(Similarity(), nothing))


def strokes(session):
    """Along the upper and the lower border and three across, of a hand that shakes, as far as a brush reaches."""
    camera = ViewerCamera(np.array([-90.0, 0.0, 310.0]), np.diag([1.0, -1.0, -1.0]), 0.7, 1.5)
    rng, brush = np.random.default_rng(1), Brush(paintable_mesh(session).mesh)
    angle = np.linspace(0.0, np.pi, 9)
    arc = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    across = [np.stack([np.linspace(-0.8, 0.8, 6), np.full(6, height)], axis=1) for height in (-0.4, 0.0, 0.4)]
    for path in (arc, -arc, *across):
        x, y = (WOUND_CENTRE + path * (WOUND_SEMI_AXES - BRUSH_MM) + rng.uniform(-RAGGED_MM, RAGGED_MM, path.shape)).T
        z = session.scan.vertices[cKDTree(session.scan.vertices[:, :2]).query(np.stack([x, y], axis=1))[1], 2]
        screen = on_screen(camera, np.stack([x, y, z], axis=1))
        touched = [brush.stroke(camera, a, b, radius_mm=BRUSH_MM) for a, b in zip(screen, screen[1:], strict=False)]
        yield np.unique(np.concatenate(touched))


def on_screen(camera, points):
    """Where a camera shows points (N, 3), 0..1 from the upper left corner."""
    x, y, z = ((points - camera.position) @ camera.rotation).T
    seen = np.stack([x / camera.aspect, y], axis=1) / (z * np.tan(0.5 * camera.fov))[:, None]
    return 0.5 * (seen + 1.0)


def overlap(defect, wounded, wound, face):
    """Skin that a defect and the wound have in common, as a share of that of both together, by its area once healthy.

    The walls of the wound are steep, and their area says little of the skin that is lost.
    """
    corners = np.sort(wounded.vertices[wounded.faces], axis=1).reshape(-1, 9)
    gone = np.sort(defect.vertices[defect.faces], axis=1).reshape(-1, 9)
    found = cKDTree(gone).query(corners)[0] < 1e-9
    true, area = wound[wounded.faces].any(axis=1), face_areas(face)
    return area[found & true].sum() / area[found | true].sum()


@pytest.fixture
def painted(session):
    for touched in strokes(session):
        session = session.paint(touched, Tool.MARK_MISSING)
    return session


@pytest.fixture
def from_the_command_line(wounded, small_model):
    """What `facecom complete SCAN --missing FILE` leaves out."""

    def call(path, *further):
        options = parser().parse_args(["complete", "wound.ply", "--out", "out", "--missing", str(path), *further])
        state = CompletionState(raw=wounded, model=small_model, unit="mm", **mark_options(options))
        return APPLYING.run(state).scan.defect

    return call


@pytest.mark.slow
def test_five_strokes_leave_out_what_the_command_line_does(
    painted, face, wounded, wound, small_model, from_the_command_line, tmp_path, monkeypatch
):
    assert 0 < len(painted.marks.earlier) <= STROKES  # one that adds nothing is none to undo
    monkeypatch.setattr(
        face_jobs,
        "run_isolated",
        lambda task, folder, *, options, progress, **_: task(Path(folder), progress=progress, **options),
    )
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr("facecom.model.linear.generator.LinearGenerator.load", lambda folder: small_model)
    options = {"model": SharedModel(small_model), "limits": None, "progress": lambda stage, share: None}
    (tmp_path / "strokes.json").write_bytes(marks_file(painted, MarkKind.MISSING))
    shares = {}
    for snap, words in ((True, []), (False, ["--no-snap"])):
        shown = face_jobs.apply_marks(painted.set_snap(snap), **options).left_out
        told = from_the_command_line(tmp_path / "strokes.json", *words)
        assert np.array_equal(shown.vertices, told.vertices) and np.array_equal(shown.faces, told.faces)
        shares[snap] = overlap(shown, wounded, wound, face)

    # the same wound painted elsewhere, in points that end up to 3 mm within its border
    shaken = np.random.default_rng(2).uniform(-2.0, 2.0, len(wound))
    to_border = cKDTree(wounded.vertices[~wound]).query(wounded.vertices)[0]
    ragged = wound & (to_border > 1.0 + shaken)
    np.savetxt(tmp_path / "painted.xyz", wounded.vertices[ragged])
    elsewhere = overlap(from_the_command_line(tmp_path / "painted.xyz"), wounded, wound, face)

    assert shares[True] > 0.88 and shares[True] > elsewhere - 0.12
    assert shares[True] > shares[False] + 0.03
