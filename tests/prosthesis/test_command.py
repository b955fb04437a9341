"""The verb `prosthesis`: bad input gives one sentence, exit status 2, and nothing left behind; samples lie beside."""

import json
from dataclasses import replace

import numpy as np
import pytest

from facecom.__main__ import main
from facecom.completion.regions import region_mask


@pytest.fixture
def refused(monkeypatch, tmp_path, capsys):
    def run(completion, *options):
        monkeypatch.setattr("facecom.commands.verbs.completed", lambda *_: completion)
        out = tmp_path / "deep" / "out"
        assert main(["prosthesis", "scan.ply", "--out", str(out), "--quiet", *options]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.startswith("facecom: ") and said.err.count("\n") == 1
        assert not (tmp_path / "deep").exists()
        return said.err

    return run


@pytest.fixture(scope="module")
def noseless(template, completion_of):
    return completion_of(region_mask(template, "nose"))


def test_a_scan_without_a_cavity_is_told_to_name_the_part(refused, template, completion_of):
    whole = completion_of(np.zeros(len(template.vertices), bool))
    assert "nothing is missing in the scan; name the part" in refused(whole)


def test_a_defect_on_the_scans_own_border_is_refused(refused, template, completion_of):
    half = completion_of(region_mask(template, "half"))
    said = refused(half)
    assert "no hole with healthy skin all around it" in said and "reaches the scan's own border" in said


def test_a_margin_larger_than_the_face_is_refused(refused, noseless):
    said = refused(noseless, "--margin", "90")
    assert "a margin of 90 mm is larger than" in said


@pytest.mark.parametrize("axis", ["0,0,-1", "1,0,0"])
def test_an_impossible_axis_is_refused(refused, noseless, axis):
    said = refused(noseless, "--axis", axis)
    assert "cannot be taken off along" in said and "choose an axis near" in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--axis", "up"], "--axis must be auto, front or three numbers"),
        (["--axis", "0,0,0"], "three numbers that are not all zero"),
        (["--margin", "0.005"], "lengths are in mm, whatever the unit of the scan"),
        (["--wall", "3000"], "lengths are in mm, whatever the unit of the scan"),
        (["--wall", "0.2"], "must not fall from edge"),
        (["--edge", "-1"], "edge_mm must be a positive length"),
        (["--clearance", "nan"], "clearance_mm must be a positive length"),
        (["--samples", "-2"], "--samples must not be negative"),
        (["--region", "elbow"], "there is no region 'elbow'"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(refused, noseless, options, words):
    assert words in refused(noseless, *options)


def test_trimming_and_what_is_refused_reach_the_design(monkeypatch, tmp_path, capsys):
    told = {}

    def design_all(_, **options):
        told.update(options)
        raise ValueError("stopped here")

    monkeypatch.setattr("facecom.commands.verbs.completed", lambda *_: None)
    monkeypatch.setattr("facecom.prosthesis.design_all", design_all)
    command = ["prosthesis", "scan.ply", "--out", str(tmp_path / "out"), "--quiet"]
    assert main([*command, "--trim", "--least-cm3", "0.4", "--least-scanned", "0.2"]) == 2
    settings = told["settings"]
    assert (settings.trim, settings.least_cm3, settings.least_scanned) == (True, 0.4, 0.2)
    assert main(command) == 2
    assert (told["settings"].trim, told["settings"].least_cm3) == (False, 1.0)


@pytest.mark.slow
def test_samples_lie_beside_the_part(part, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("facecom.commands.verbs.completed", lambda *_: None)
    monkeypatch.setattr("facecom.prosthesis.design_all", lambda *_, **__: [part])
    monkeypatch.setattr("facecom.prosthesis.alternatives", lambda _, count, **__: [part] * count)
    out = tmp_path / "out"
    status = main(["prosthesis", "scan.ply", "--out", str(out), "--samples", "1", "--quiet"])
    assert status == (5 if part.inspection.check.broken else 0)
    assert (out / "samples.png").stat().st_size > 10_000
    assert (out / "shell.stl").read_bytes() == (out / "sample_1" / "shell.stl").read_bytes()
    assert capsys.readouterr().out.count("not a medical device") == 2


@pytest.mark.slow
@pytest.mark.parametrize(("broken", "status"), [((), 0), (("the part is 0.10 mm thick in places",), 5)])
def test_the_status_says_whether_a_part_breaks_a_bound(part, broken, status, tmp_path, monkeypatch, capsys):
    check = replace(part.inspection.check, broken=broken)
    one = replace(part, inspection=replace(part.inspection, check=check), warnings=broken)
    monkeypatch.setattr("facecom.commands.verbs.completed", lambda *_: None)
    monkeypatch.setattr("facecom.prosthesis.design_all", lambda *_, **__: [one])
    out = tmp_path / "out"
    assert main(["prosthesis", "scan.ply", "--out", str(out), "--quiet"]) == status
    assert json.loads((out / "inspection.json").read_text())["broken"] == list(broken)
    assert all(text in capsys.readouterr().out for text in broken)
