"""Tables of parts over wounds: the figures of the inspections, what is beyond a bound in bold."""

import json
import sys

import pytest

FOUND = {
    "volume_mm3": 4200.0,
    "tissue_overlap_mm3": 0.1,
    "tissue_overlap_deepest_mm": 0.05,
    "withdrawal_overlap_mm3": 0.0,
    "withdrawal_overlap_deepest_mm": 0.0,
    "thinnest_mm": 0.32,
    "margin": {"min": 4.0},
    "self_intersections": 0,
    "watertight": True,
    "broken": [],
}
BROKEN = {"tissue_overlap_mm3": 7.0, "thinnest_mm": 0.1, "self_intersections": 3, "watertight": False, "broken": ["x"]}
SETTINGS = {"edge_mm": 0.3, "bounds": {"overlap_mm3": 5.0, "overlap_deepest_mm": 0.3}}


@pytest.fixture
def written(tmp_path):
    """A sound orbit, a broken nose, and a nose that was refused."""
    for name, change in (("a_orbit_bed", {}), ("b_nose_bed", BROKEN), ("c_nose_bed", None)):
        (tmp_path / "cases" / name).mkdir(parents=True)
        (tmp_path / "cases" / name / "mark.ply").touch()
        folder = tmp_path / "parts" / name / "part"
        folder.mkdir(parents=True)
        if change is None:
            (folder.parent / "refused.txt").write_text("exit 3: no face\n")
            continue
        (folder / "inspection.json").write_text(json.dumps(FOUND | change))
        (folder / "prosthesis.json").write_text(json.dumps({"settings": SETTINGS}))
    return tmp_path


def test_the_table_holds_every_case_its_broken_bounds_and_the_reason_of_a_refusal(script, written, monkeypatch, capsys):
    called = ["wound_parts", str(written / "cases"), str(written / "parts"), "--table"]
    monkeypatch.setattr(sys, "argv", called)
    script("benchmarks.wound_parts").main()
    lines = {line.split("|")[1].strip(): line for line in capsys.readouterr().out.splitlines() if line.startswith("| ")}
    assert "**" not in lines["a_orbit_bed"] and "| 4.2 | 0.1 mm3, 0.05 mm |" in lines["a_orbit_bed"]
    assert [lines["b_nose_bed"].count(f"**{figure}**") for figure in ("7.0", "0.10", "3", "no", "0.05")] == [1] * 4 + [
        0
    ]
    assert "exit 3: no face" in lines["c_nose_bed"]
    assert lines["nose"].endswith("| 0 | 0 |") and lines["orbit"].endswith("| 1 | 1 |")
