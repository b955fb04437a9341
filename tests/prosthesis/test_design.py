"""From a completed face to a part."""

import sys

import numpy as np
import pytest
import trimesh

from facecom.completion.regions import region_mask
from facecom.errors import ScanError
from facecom.prosthesis import DesignSettings, design, design_all
from facecom.prosthesis.defect.neighbourhood import Defect


@pytest.mark.slow
def test_the_part_lies_in_the_scans_own_frame_and_is_closed(part):
    solid = trimesh.Trimesh(part.shell.vertices, part.shell.faces, process=False)
    assert solid.is_watertight and solid.volume == pytest.approx(part.inspection.volume_mm3, rel=1e-6)
    tip = part.to_face.inverse().apply(np.zeros((1, 3)))
    assert np.linalg.norm(part.shell.vertices - tip, axis=1).min() < 2.0
    assert np.allclose(part.axis, part.to_face.inverse().rotate([0.0, 0.0, 1.0]))


def test_options_of_completing_are_refused_where_nothing_is_completed(template, completion_of):
    done = completion_of(region_mask(template, "nose"))
    with pytest.raises(ValueError, match="completed already, so that unit can change nothing"):
        design(done, completion_options={"unit": "mm"})


@pytest.mark.slow
def test_progress_is_told_step_by_step_and_can_end_the_work(template, completion_of):
    told = []

    def progress(step, share):
        told.append((step, share))
        if step == "shell":
            raise InterruptedError

    done = completion_of(region_mask(template, "nose"))
    with pytest.raises(InterruptedError):
        design_all(done, settings=DesignSettings(axis="front", grid_mm=1.2), progress=progress)
    assert [step for step, _ in told] == ["border", "shell"] and 0.0 == told[0][1] < told[1][1] < 0.5


def test_progress_of_several_parts_is_that_of_all(template, completion_of, monkeypatch):
    told, module = [], sys.modules["facecom.prosthesis.design"]
    monkeypatch.setattr(module, "defects_of", lambda *_, **__: ["large", "small"])
    monkeypatch.setattr(module, "design_on", lambda *_, progress, **__: progress("shell", 0.5))
    done = completion_of(region_mask(template, "nose"))
    design_all(done, progress=lambda step, share: told.append((step, share)))
    assert told == [("shell", 0.25), ("shell", 0.75)]


def test_a_refused_part_is_left_out_and_another_one_warns_of_it(template, completion_of, part, monkeypatch):
    module = sys.modules["facecom.prosthesis.design"]
    shadow, wound = (Defect(np.zeros(1, bool), area, np.zeros(3)) for area in (612.0, 3000.0))
    monkeypatch.setattr(module, "defects_of", lambda *_, **__: [wound, shadow])

    def made_or_refused(*_, defect, **__):
        if defect is shadow or refuse_all:
            raise ScanError("nobody knows what it would lie on")
        return part

    monkeypatch.setattr(module, "design_on", made_or_refused)
    done, refuse_all = completion_of(region_mask(template, "nose")), False
    (made,) = design_all(done)
    assert made.warnings[:-1] == part.warnings and made.shell is part.shell
    assert made.warnings[-1].startswith("of 612 mm2 that are missing elsewhere (part 1) no part was made: nobody knows")
    refuse_all = True
    with pytest.raises(ScanError, match="nobody knows"):
        design_all(done)


@pytest.mark.slow
def test_the_part_of_an_ear_is_a_solid_that_comes_off(template, left_ear, completion_of):
    made = design(completion_of(left_ear), settings=DesignSettings(region="l_ear", grid_mm=1.4))
    i = made.inspection
    solid = trimesh.Trimesh(made.shell.vertices, made.shell.faces, process=False)
    assert solid.is_watertight and solid.volume == pytest.approx(i.volume_mm3, rel=1e-6) and i.volume_mm3 > 2000
    assert len(solid.split(only_watertight=False)) == 1
    assert i.self_intersecting_edges == 0 and i.overlap_mm3 < 1e-6
    assert min(i.wall.min, i.rim.min, i.edge.min) >= made.settings.edge_mm
    assert i.undercuts.seat_mm2 < 5.0
    assert i.shares["mirrored"] > 0.6 and i.clearance.median == pytest.approx(0.1, abs=0.06)
    for half in (made.mould_a, made.mould_b):
        assert trimesh.Trimesh(half.vertices, half.faces, process=False).is_watertight
