"""The things are many and no faces, and the tables count what the log holds."""

import argparse
import json
from types import SimpleNamespace

import numpy as np
import pytest

from facecom.errors import FitError
from facecom.geometry.mesh import boundary_edges, face_areas


@pytest.fixture(scope="module")
def things(script):
    pytest.importorskip("manifold3d")
    return script("non_faces")


@pytest.fixture(scope="module")
def refusal(script, things):
    return script("refusal")


@pytest.fixture(scope="module")
def one_of_each(things):
    return [things.thing(k, 0) for k in range(len(things.KINDS))]


def test_every_kind_is_a_sound_mesh_of_the_size_of_a_head_or_body(things, one_of_each):
    assert [name for name, _ in one_of_each] == [kind.__name__ for kind in things.KINDS]
    for name, mesh in one_of_each:
        low, high = (30, 320) if name in things.TRUE_SIZE else things.SIZES_MM.get(name, (100, 350))
        assert np.isfinite(mesh.vertices).all()
        assert len(mesh.faces) > 1000, name
        assert (face_areas(mesh) > 0).mean() > 0.999, name
        across = np.linalg.norm(np.ptp(mesh.vertices, axis=0))
        assert 0.3 * low < across < 2.2 * high, name


def test_a_number_and_a_seed_name_a_thing(things, one_of_each):
    count = len(things.KINDS)
    again = things.thing(1, 0)[1]
    assert np.array_equal(again.vertices, one_of_each[1][1].vertices)
    for other in (things.thing(1, 1), things.thing(1 + count, 0)):
        assert other[0] == one_of_each[1][0]
        assert len(other[1].vertices) != len(again.vertices) or not np.allclose(other[1].vertices, again.vertices)


def test_some_things_are_cut_open_and_some_are_whole(things):
    closed = [not len(boundary_edges(things.thing(k * len(things.KINDS), 0)[1].faces)) for k in range(8)]
    assert any(closed) and not all(closed)


def test_what_is_cut_off_a_head_holds_no_face(things):
    for seed in range(3):
        x, y, z = things.cut_off_face(np.random.default_rng(seed)).vertices.T
        assert not ((np.hypot(x, y - 10) < 75) & (z > -70)).any()
        ear = things.ear(np.random.default_rng(seed)).vertices
        assert np.ptp(ear, axis=0).max() < 101
        assert abs(ear[:, 0].mean()) > 40


def row(name, face, **figures):
    sound = {"score": 0.5, "rms_mm": 0.5, "prior": 1.0, "coverage": 0.5, "passed": True, "completed": True}
    sound |= {"shrinkage": 1.0, "scan_share": 0.5}
    return {"name": name, "kind": name, "face": face} | sound | figures


def test_the_table_counts_by_kind_and_over_all(refusal):
    rows = [row("box", "no", passed=False, completed=False), row("hand", "no"), row("nose", "yes")]
    lines = list(refusal.table(rows))
    assert lines[2].startswith("| box | no | 1 | 0 | 0 | 0.50 |")
    assert "| **all, no** | no | 2 | 1 | 1 | 0.50 | 0.50 | 1.00 |" in lines
    assert not any("two" in line for line in lines)


def test_margins_name_the_nearest_face_and_what_one_bound_alone_refuses(refusal):
    refused = {"passed": False, "completed": False}
    rows = [
        row("near", "yes", score=0.2), row("easy", "yes", prior=2.0), row("lost", "yes", score=0.01, **refused),
        row("odd", "no", prior=9.0, **refused), row("both", "no", prior=9.0, score=0.0, **refused),
    ]  # fmt: skip
    lines = {line.split(" | ")[0].strip("| "): line for line in refusal.margins(rows)}
    assert lines["score"].endswith("| near: near | 0.20 | easy: easy | 0.50 | 0 |")
    assert lines["prior"].endswith("| easy: easy | 2.00 | near: near | 1.00 | 1 |")


def test_shrinkage_is_near_its_bound_only_where_little_of_the_face_was_seen(refusal):
    rows = [row("whole", "yes", coverage=0.9, shrinkage=1.5), row("half", "yes", shrinkage=1.2), row("third", "yes")]
    lines = {line.split(" | ")[0].strip("| "): line for line in refusal.margins(rows)}
    assert "| half: half | 1.20 | third: third | 1.00 |" in lines["shrinkage"]


def test_a_row_that_lacks_what_the_verdict_asks_for_is_run_again(refusal):
    old = {k: v for k, v in row("a", "no").items() if k not in ("shrinkage", "scan_share")}
    assert not refusal.is_whole(old)
    assert refusal.is_whole(old | {"coverage": 0.9}) and refusal.is_whole(old | {"coverage": 0.1})
    assert refusal.is_whole(row("a", "no"))
    assert not refusal.judged(row("a", "no", shrinkage=9.0))["completed"]


def test_a_large_defect_leaves_little(refusal):
    model = refusal.LinearGenerator.load()
    kind, scan = refusal.large_defect(model, 0, 0)
    whole = model.sample(9000, level=2, discrepancy=True)
    assert kind == "large half"
    assert face_areas(scan).sum() < 0.7 * face_areas(whole).sum()


def test_a_log_is_not_run_again(refusal, tmp_path, monkeypatch, icosphere):
    ran = []
    monkeypatch.setattr(refusal, "cases", lambda *_: [(n, "no", "mm", lambda: ("ball", icosphere(1))) for n in "ab"])
    monkeypatch.setattr(refusal, "figures", lambda *_, **__: ran.append(1) or {"passed": False, "completed": False})
    options = argparse.Namespace(log=tmp_path / "log.jsonl", told_nothing=False)
    options.log.write_text(json.dumps(row("a", "no")) + "\n")
    first, second = refusal.run(None, options), refusal.run(None, options)
    assert len(ran) == 1
    assert [r["name"] for r in first] == [r["name"] for r in second] == ["a", "b"]
    assert first[0]["passed"] and not first[1]["passed"]


def test_told_nothing_each_mesh_goes_through_completion_with_no_unit(refusal, monkeypatch, icosphere):
    def completed(mesh, **told):
        assert set(told) == {"model"}
        if len(mesh.vertices) < 100:
            raise FitError("no face")
        return SimpleNamespace(report=SimpleNamespace(mm_per_unit=10.0))

    monkeypatch.setattr(
        refusal, "cases", lambda *_: [(f"{k}", "no", "mm", lambda k=k: ("ball", icosphere(k))) for k in (1, 3)]
    )
    monkeypatch.setattr(refusal, "complete", completed)
    refused, taken = refusal.run(None, argparse.Namespace(log=None, told_nothing=True))
    assert not refused["completed"] and refused["refused"] == "no face"
    assert taken["completed"] and taken["mm_per_unit"] == 10.0
    assert "| ball | no | 2 | 1 | 1 |" in "\n".join(refusal.table([refused, taken]))
