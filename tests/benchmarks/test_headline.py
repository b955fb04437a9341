"""The headline benchmark: what is cut is what is missing, scores are known distances, tables are means of rows."""

import json

import numpy as np
import pytest

from facecom import Mesh, write_mesh
from facecom.geometry.mesh import boundary_loops
from facecom.model.linear.generator import LinearGenerator

ROWS = [
    {"case": "a_nose", "head": "a", "defect": "nose", "missing": 1.0, "p95": 2.0, "observed": 0.1, "kept": 1.0},
    {"case": "b_nose", "head": "b", "defect": "nose", "missing": 2.0, "p95": 3.0, "observed": 0.2, "kept": 0.9},
    {"case": "b_half", "head": "b", "defect": "half", "missing": 6.0, "p95": 9.0, "observed": 0.3, "kept": 1.0},
    {"case": "a_half", "head": "a", "defect": "half", "refused": "no face"},
]
for row in ROWS[:3]:
    row["open_holes"] = 2 if row["case"] == "b_nose" else 0


@pytest.fixture(scope="module")
def part(script):
    """A module of the package by name."""
    return lambda name: script(f"benchmarks.headline.{name}")


@pytest.fixture(scope="module")
def face():
    return LinearGenerator.load().sample(3, level=1)


def grid(count=21, spacing=4.0):
    """A flat square in the plane z = 0 around the origin."""
    at = (np.arange(count) - count // 2) * spacing
    x, y = (a.ravel() for a in np.meshgrid(at, at))
    index = np.arange(count**2).reshape(count, count)
    a, b, c, d = (i.ravel() for i in (index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]))
    return Mesh(np.stack([x, y, 0 * x], 1), np.concatenate([np.stack([a, b, c], 1), np.stack([a, c, d], 1)]))


def holed(mesh):
    """The square without its triangles within 12 mm of the origin."""
    far = np.linalg.norm(mesh.vertices, axis=1) > 12
    return mesh.submesh(far[mesh.faces].all(axis=1))[0]


def test_suites_have_the_cases_that_the_docs_name(part):
    suites = {name: [case for _, case in part("cutting").suite(name)] for name in ("dev", "others")}
    assert {name: len(cases) for name, cases in suites.items()} == {"dev": 53, "others": 77}
    for cases in suites.values():
        assert len({case.name for case in cases}) == len(cases)
        assert {case.defect for case in cases} == set(part("cutting").KINDS)


def test_what_was_cut_is_missing_in_the_scan_and_there_in_the_truth(part, face):
    case = part("cutting").Case("drawn", "nose", unit="m", clutter=2)
    made = part("cutting").cut(face, case)
    assert len(made.missing) > 300 and len(made.observed) > 3000
    score = part("scoring")
    scan = score.in_mm(made.scan, "m")
    missing, observed = 1000 * made.missing, 1000 * made.observed
    # Observed points lie on the noisy scan; missing ones lie on the head, and away from the scan but at the rim.
    found = score.face_errors(scan, missing, observed)
    assert found["observed"] < 0.2 < 3.0 < found["missing"]
    back = np.linalg.inv(made.pose)
    home = made.missing @ back[:3, :3].T + back[:3, 3]
    on_head = score.face_errors(face, home, home)
    assert on_head["missing"] < 1e-6
    again = part("cutting").cut(face, case)
    assert np.array_equal(again.missing, made.missing) and np.array_equal(again.scan.vertices, made.scan.vertices)


def test_inner_surfaces_are_no_truth(part):
    outer, inner = grid(), grid(count=11)
    both = Mesh(
        np.concatenate([outer.vertices, inner.vertices - [0, 0, 1.0]]),
        np.concatenate([outer.faces, inner.faces + len(outer.vertices)]),
    )
    points = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, -1.0]])
    assert part("cutting").visible(points, both).tolist() == [True, False]


def test_known_distances_are_found(part):
    flat = grid()
    raised = flat.with_vertices(flat.vertices + [0, 0, 0.5])
    points = flat.vertices[:100]
    assert part("scoring").face_errors(raised, points, points + [0, 0, 0.25]) == {
        "missing": 0.5,
        "p95": 0.5,
        "observed": 0.25,
    }


def test_an_open_hole_counts_only_at_the_defect(part):
    whole = grid()
    open_mesh = holed(whole)
    missing = whole.vertices[np.linalg.norm(whole.vertices, axis=1) < 18]
    assert len(boundary_loops(open_mesh.faces)) == 2
    holes = part("scoring").open_holes
    assert [holes(open_mesh, missing), holes(whole, missing), holes(open_mesh, missing + [0, 0, 50])] == [1, 0, 0]


def test_kept_is_bit_for_bit_and_leaves_clutter_out(part):
    scan = grid()
    kept = part("scoring").kept_share
    assert kept(scan, scan) == 1.0
    moved = scan.vertices.copy()
    moved[7] += [0, 0, 1e-5]
    assert kept(scan, scan.with_vertices(moved)) == pytest.approx(1 - 1 / len(moved))
    blob = Mesh([[0, 0, 30], [1, 0, 30], [0, 1, 30]], [[0, 1, 2]])
    littered = Mesh(
        np.concatenate([scan.vertices, blob.vertices]), np.concatenate([scan.faces, blob.faces + len(scan.vertices)])
    )
    assert kept(littered, scan) == 1.0


def test_a_case_is_scored_from_its_files(part, tmp_path):
    """Everything in metres, and the whole square 0.5 mm above the truth."""
    flat, scoring = grid(), part("scoring")
    case, result = tmp_path / "cases" / "square_nose_m", tmp_path / "results" / "square_nose_m"
    case.mkdir(parents=True)
    result.mkdir(parents=True)
    scan = holed(flat)
    missing = flat.vertices[np.linalg.norm(flat.vertices, axis=1) < 18]
    write_mesh(case / "scan.ply", scan.with_vertices(scan.vertices / 1000))
    np.savez(case / "truth.npz", missing=missing / 1000, observed=scan.vertices / 1000, pose=np.eye(4))
    (case / "meta.json").write_text(json.dumps({"head": "square", "defect": "nose", "unit": "m"}))
    assert scoring.score_case(case, result) == {"case": "square_nose_m", "head": "square", "defect": "nose"}
    face = flat.with_vertices((flat.vertices + [0, 0, 0.5]) / 1000)
    write_mesh(result / "face.ply", face, attributes={"sigma_mm": np.full(len(flat.vertices), 0.5)})
    write_mesh(result / "merged.ply", scan.with_vertices(scan.vertices / 1000))
    row = scoring.score_case(case, result)
    assert row["missing"] == pytest.approx(0.5, abs=1e-4) and row["observed"] == pytest.approx(0.5, abs=1e-4)
    assert (row["kept"], row["open_holes"], row["within_50"], row["within_90"]) == (1.0, 1, 0.0, 1.0)
    assert row["rms_error"] == row["rms_sigma"] == pytest.approx(0.5, abs=1e-3)


def test_a_scan_that_is_refused_leaves_a_row_and_no_face(part, tmp_path):
    case, result = tmp_path / "cases" / "flat", tmp_path / "results" / "flat"
    case.mkdir(parents=True)
    result.mkdir(parents=True)
    (result / "face.ply").write_text("of an earlier run")
    write_mesh(case / "scan.ply", grid(count=5))
    part("running").run_case(case, result)
    assert json.loads((result / "run.json").read_text())["refused"]
    assert not (result / "face.ply").exists()


def test_heads_come_into_the_face_frame(part, tmp_path):
    """A head in another unit, off its origin, with one vertex held twice."""
    spread = grid()
    bump = spread.vertices + np.stack([0 * spread.vertices[:, 0]] * 2 + [40 - np.hypot(*spread.vertices[:, :2].T)], 1)
    vertices, faces = np.concatenate([bump + [5, 6, 7], [bump[0] + [5, 6, 7]]]) / 10, spread.faces.copy()
    faces[faces == 0] = np.where(np.arange((faces == 0).sum()) == 0, len(bump), 0)
    write_mesh(tmp_path / "head.obj", Mesh(vertices, faces))
    head = part("heads").read_head(part("heads").HeadFile("bump", "head.obj", mm=10.0), tmp_path)
    assert len(head.vertices) == len(bump)
    assert np.abs(head.vertices[head.vertices[:, 2].argmax()]).max() < 1e-9
    assert head.vertices[:, 2].min() == pytest.approx(bump[:, 2].min() - 40)


def test_the_linear_fit_finds_a_face_of_its_own_model(part, face):
    """Three smooth modes, a small motion, and the nose cut out: what is missing comes back."""
    mean = face.vertices
    modes = np.stack([mean * [0.05, 0, 0], mean * [0, 0.05, 0], mean * [0, 0, 0.05]])
    fit = part("linear_fit")
    model = fit.LinearFace(mean, modes, face.faces)
    true = face.with_vertices(model.shape(np.array([1.0, -0.5, 0.8])) + [0.5, -0.3, 0.4])
    gone = np.linalg.norm(mean - [0, 8, -8], axis=1) < 25
    scan = true.submesh(~gone[face.faces].any(axis=1))[0]
    found = fit.fit_linear(scan, model)
    assert np.linalg.norm(found.vertices - true.vertices, axis=1)[gone].mean() < 0.1
    assert np.linalg.norm(mean - true.vertices, axis=1)[gone].mean() > 0.5


def test_means_are_over_the_cases_that_were_completed(part):
    found = part("results").suite_results(ROWS, "python -m benchmarks.headline run")
    assert found["all"] == {
        "cases": 4,
        "failed": 1,
        "missing": 3.0,
        "p95": 4.6667,
        "observed": 0.2,
        "kept_least": 0.9,
        "open_holes_most": 2,
    }
    table = part("tables").by_defect(found)
    assert "| nose | 2 | 0 | 1.50 | 2.50 | 0.150 | 0.9000 | 2 |  |" in table
    assert "| half the face | 2 | 1 | 6.00 |" in table
    assert "| b | 2.00 | 6.00 | 0.250 |" in part("tables").by_head(found)


def test_the_document_comes_back_as_it_was_written(part, tmp_path):
    document = {
        "suites": {"dev": {"cases": ROWS, "empty": []}},
        "tables": {"a": {"rows": [["é", 1, None], [0.5, 2, 3]]}},
    }
    part("results").write(document, tmp_path / "results.json")
    text = (tmp_path / "results.json").read_text(encoding="utf-8")
    assert json.loads(text) == document
    assert '["é", 1, null],' in [line.strip() for line in text.splitlines()]


def test_tables_go_between_their_markers_alone(part):
    page = "before\n<!-- table: a -->\nold\n<!-- end -->\nafter\n<!-- table: b -->\n<!-- end -->\n"
    made = part("tables").rendered(page, {"a": "| 1 |", "b": "| 2 |"})
    assert made == "before\n<!-- table: a -->\n| 1 |\n<!-- end -->\nafter\n<!-- table: b -->\n| 2 |\n<!-- end -->\n"
    assert part("tables").rendered(made, {"a": "| 1 |", "b": "| 2 |"}) == made
    with pytest.raises(KeyError):
        part("tables").rendered(page, {"a": ""})
