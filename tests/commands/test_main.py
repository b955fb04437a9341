"""Bad input, exit statuses, and that nothing half-written stays behind."""

import functools
import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from facecom.__main__ import main
from facecom.commands.help import RESULT_FILES
from facecom.completion import COMPLETION, CompletionSettings, complete
from facecom.completion.alignment import prepare_scan
from facecom.evaluation.partial_scans import ScanSettings, partial_scan
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan, write_mesh
from facecom.model.linear.generator import LinearGenerator


@pytest.fixture(scope="module")
def face():
    mesh = LinearGenerator.load().sample(3, level=2)
    front = mesh.submesh((mesh.vertices[mesh.faces][..., 2] > -75.0).all(1))[0]
    return partial_scan(front, "nose", seed=1, settings=ScanSettings(max_angle=0.3)).scan


@pytest.fixture(scope="module")
def scan_file(face, tmp_path_factory):
    path = tmp_path_factory.mktemp("scan") / "face.ply"
    write_mesh(path, face)
    return path


@pytest.fixture(scope="module")
def finished(scan_file, tmp_path_factory):
    """The folder of a completion by the command line."""
    out = tmp_path_factory.mktemp("done") / "deep" / "out"
    assert main(["complete", str(scan_file), "--out", str(out), "--quiet"]) == 0
    return out


@pytest.fixture
def refused(tmp_path, capsys):
    """Run the command on a file; it must end with the status, one sentence that has the words, and no trace."""

    def run(scan, status, *words, options=()):
        out = tmp_path / "results" / "here"
        assert main(["complete", str(scan), "--out", str(out), "--quiet", *options]) == status
        said = capsys.readouterr()
        assert said.out == ""
        assert said.err.startswith("facecom: ")
        assert said.err.count("\n") == 1
        for word in words:
            assert word in said.err
        assert not (tmp_path / "results").exists()

    return run


def stored(tmp_path, mesh, name="scan.ply"):
    write_mesh(tmp_path / name, mesh)
    return tmp_path / name


def ellipsoid(icosphere, radii):
    ball = icosphere(4)
    return ball.with_vertices(ball.vertices * radii)


@pytest.mark.parametrize("name", ["scan.ply", "scan.obj", "scan.stl", "scan.off", "scan.glb", "scan.pcd", "scan.xyz"])
def test_empty_file(tmp_path, refused, name):
    (tmp_path / name).write_bytes(b"")
    refused(tmp_path / name, 2, name)


@pytest.mark.parametrize("kept", [0.02, 0.5, 0.99])
def test_truncated_file(tmp_path, refused, scan_file, kept):
    content = scan_file.read_bytes()
    (tmp_path / "cut.ply").write_bytes(content[: int(len(content) * kept)])
    refused(tmp_path / "cut.ply", 2, "cut.ply")


def test_wrong_extension(tmp_path, refused, scan_file):
    (tmp_path / "face.docx").write_bytes(scan_file.read_bytes())
    refused(tmp_path / "face.docx", 2, "face.docx")


def test_extension_of_another_format(tmp_path, refused, scan_file):
    (tmp_path / "face.stl").write_bytes(scan_file.read_bytes())
    refused(tmp_path / "face.stl", 2, "face.stl")


@pytest.mark.parametrize("name", ["note.ply", "note.obj", "note.xyz", "note.stl"])
def test_text_that_is_no_mesh(tmp_path, refused, name):
    (tmp_path / name).write_text("Dear Sir or Madam,\nplease find enclosed no mesh.\n")
    refused(tmp_path / name, 2, name)


def test_folder(tmp_path, refused):
    (tmp_path / "folder.ply").mkdir()
    refused(tmp_path / "folder.ply", 2, "folder")


def test_no_such_file(tmp_path, refused):
    refused(tmp_path / "nowhere.ply", 2, "nowhere.ply")


def test_no_triangles(tmp_path, refused):
    text = "ply\nformat ascii 1.0\nelement vertex 0\nproperty float x\nproperty float y\nproperty float z\n"
    (tmp_path / "none.ply").write_text(text + "element face 0\nproperty list uchar int vertex_indices\nend_header\n")
    refused(tmp_path / "none.ply", 2)


def test_one_triangle(tmp_path, refused):
    refused(stored(tmp_path, Mesh(np.eye(3) * 100.0, [[0, 1, 2]])), 2, "triangle")


def test_no_finite_vertex(tmp_path, refused):
    rows = "\n".join(f"v nan inf {k}" for k in range(90)) + "\n"
    (tmp_path / "nan.obj").write_text(rows + "\n".join(f"f {k} {k + 1} {k + 2}" for k in range(1, 88)))
    refused(tmp_path / "nan.obj", 2)


def test_a_thousand_times_too_large(tmp_path, refused, face):
    large = stored(tmp_path, face.with_vertices(face.vertices * 1000.0))
    refused(large, 2, "mm", options=["--unit", "mm"])


@pytest.mark.slow
@pytest.mark.parametrize("radii", [(100.0, 100.0, 100.0), (75.0, 95.0, 110.0)], ids=["ball", "head without a face"])
def test_bodies_that_are_no_face(tmp_path, refused, icosphere, radii):
    refused(stored(tmp_path, ellipsoid(icosphere, radii)), 3, "face")


@pytest.mark.slow
def test_cube(tmp_path, refused, icosphere):
    ball = icosphere(4)
    cube = ball.with_vertices(90.0 * ball.vertices / np.abs(ball.vertices).max(axis=1, keepdims=True))
    refused(stored(tmp_path, cube), 3, "does not look like a face")


@pytest.mark.slow
def test_bunny_like_blob(tmp_path, refused, icosphere):
    parts = [
        ((0, 0, 0), (60, 50, 70)),
        ((0, 55, 50), (33, 36, 34)),
        ((-14, 55, 100), (9, 7, 38)),
        ((14, 55, 100), (9, 7, 38)),
    ]
    balls = [ellipsoid(icosphere, radii).vertices + centre for centre, radii in parts]
    faces = [icosphere(4).faces + k * len(balls[0]) for k in range(len(parts))]
    refused(stored(tmp_path, Mesh(np.concatenate(balls), np.concatenate(faces))), 3, "face")


@pytest.mark.slow
def test_back_of_a_head(tmp_path, refused, icosphere):
    head = ellipsoid(icosphere, (75.0, 105.0, 95.0))
    behind = (head.vertices[:, 2] < 10) & (head.vertices[:, 1] > -70)
    refused(stored(tmp_path, head.submesh(behind[head.faces].all(1))[0]), 3, "face")


@pytest.mark.slow
def test_only_an_ear(tmp_path, refused):
    mesh = LinearGenerator.load().sample(2, level=3)
    ear = (np.abs(mesh.vertices - [72, 15, -100]) < [14, 38, 30]).all(1)
    refused(stored(tmp_path, mesh.submesh(ear[mesh.faces].all(1))[0]), 3, "face", options=["--unit", "mm"])


@pytest.mark.parametrize("below", ["", "/deeper/still"])
def test_output_that_cannot_be_written(tmp_path, capsys, scan_file, below):
    (tmp_path / "taken").write_text("a file")
    assert main(["complete", str(scan_file), "--out", f"{tmp_path}/taken{below}", "--quiet"]) == 2
    assert "cannot be" in capsys.readouterr().err
    assert (tmp_path / "taken").read_text() == "a file"
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def stopped(*_, **__):
    raise KeyboardInterrupt


@pytest.mark.parametrize("stage", ["align", "stitch"])
def test_ctrl_c_in_the_middle(monkeypatch, refused, scan_file, stage):
    skipped = (
        *(
            "fit",
            "find defects",
            "doubt swelling",
            "defect probability",
            "check shape",
            "guide",
            "project",
            "measure coverage",
            "check coverage",
            "uncertainty",
        ),
        *("apply outlines", "enter face frame"),
    )
    known = COMPLETION.without(*skipped) if stage == "align" else COMPLETION.without("align", *skipped)
    monkeypatch.setitem(complete.__kwdefaults__, "pipeline", known.replace_stage(stage, stopped))
    refused(scan_file, 130, "stopped")


def test_a_bug_leaves_nothing_and_is_not_hidden(monkeypatch, tmp_path, scan_file):
    def broken(*_, **__):
        raise RuntimeError("a bug")

    monkeypatch.setitem(complete.__kwdefaults__, "pipeline", COMPLETION.replace_stage("align", broken))
    with pytest.raises(RuntimeError, match="a bug"):
        main(["complete", str(scan_file), "--out", str(tmp_path / "out"), "--quiet"])
    assert not (tmp_path / "out").exists()


@pytest.mark.skipif(os.name == "nt", reason="SIGINT is not Ctrl-C there")
def test_a_real_ctrl_c(tmp_path, scan_file):
    out = tmp_path / "out"
    command = [sys.executable, "-m", "facecom", "complete", str(scan_file), "--out", str(out)]
    # a shell's background jobs are born deaf to SIGINT, and so would the child be
    hear = functools.partial(signal.signal, signal.SIGINT, signal.SIG_DFL)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, preexec_fn=hear) as child:
        while child.poll() is None and not out.exists():  # made as soon as the work begins
            time.sleep(0.05)
        child.send_signal(signal.SIGINT)
        said = child.communicate(timeout=120)[1]
    assert child.returncode == 130
    assert "stopped" in said
    assert "Traceback" not in said
    assert not out.exists()


def test_some_bad_vertices_are_cleaned_away(face):
    vertices = face.vertices.copy()
    vertices[::500, 0] = np.nan
    vertices[7, 1] = np.inf
    scan = prepare_scan(Mesh(vertices, face.faces), unit="auto", settings=CompletionSettings())
    assert np.isfinite(scan.mesh.vertices).all()
    assert len(scan.mesh.vertices) > 0.98 * len(face.vertices) - 30


@pytest.mark.slow
def test_results_are_complete(finished):
    names = {p.name for p in finished.iterdir()}
    assert names == set(RESULT_FILES)
    report = json.loads((finished / "report.json").read_text())
    assert report["unit"] == "mm"
    assert report["seed"] == 0
    assert 0.5 < report["coverage"] < 1.0
    pose = np.array(report["pose"])
    assert np.linalg.det(pose[:3, :3]) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.slow
def test_files_hold_what_the_library_returns_to_the_byte(finished, scan_file, tmp_path):
    """Same input, same seed, same bytes; in report.json all but the seconds."""
    done = complete(scan_file)
    done.save(tmp_path)
    for name in ("face.ply", "merged.ply", "patch.ply"):
        assert (tmp_path / name).read_bytes() == (finished / name).read_bytes(), name
    reports = [json.loads((folder / "report.json").read_text()) for folder in (tmp_path, finished)]
    for report in reports:
        assert report.pop("seconds")
    assert reports[0] == reports[1]


@pytest.mark.slow
def test_merged_file_keeps_the_scans_vertices_bit_for_bit(finished, scan_file):
    scan, merged = read_scan(scan_file), read_scan(finished / "merged.ply")
    count = len(scan.vertices)
    assert np.array_equal(merged.vertices[:count], scan.vertices)
    assert np.array_equal(merged.faces[: len(scan.faces)], scan.faces)


def test_unknown_landmark_is_wrong_use(tmp_path, refused, scan_file):
    (tmp_path / "points.json").write_text(json.dumps({name: [0, 0, 0] for name in ("nosetip", "b", "c")}))
    refused(scan_file, 2, "nosetip", options=["--landmarks", str(tmp_path / "points.json")])


@pytest.mark.parametrize(
    "arguments", [[], ["complete"], ["complete", "x.ply"], ["complete", "x", "--out", "y", "--unit", "furlong"]]
)
def test_wrong_use_ends_with_2(arguments, capsys):
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage" in capsys.readouterr().err
