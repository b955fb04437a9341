"""The verbs of the command line and their options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facecom import __version__
from facecom.commands import training
from facecom.commands import verbs as run
from facecom.commands.help import DEFECT_FILES, DETAIL_FILES, EXPLAIN_FILES, PROSTHESIS_FILES, RESULT_FILES, add_verb
from facecom.commands.serving import add_serve

UNITS = ("mm", "cm", "m", "inch", "free", "auto")
DEMO_SCANS, DEMO_OUT = Path("data/demo"), Path("out/demo")
LEVEL_COUNT = 4
"""Levels of the template, 0 coarse to 3 fine."""
TRAINING_FACES, CODE_SIZE, EPOCHS = 2000, 128, 40
"""Defaults of the training: faces drawn where no folder is given, entries of the code, passes over the faces."""
BASE_SHARE_HELP = "share of the shipped model's variance kept in the new one; from 10 faces on none, of fewer 1 - N/10"
OUT_HELP = "folder for the results; made where it is missing"


def parser() -> argparse.ArgumentParser:
    """The parser of the command line; the function of a verb is its option `run`."""
    root = argparse.ArgumentParser(prog="facecom", description="Complete partial 3D scans of faces.")
    root.add_argument("--version", action="version", version=f"facecom {__version__}")
    verbs = root.add_subparsers(dest="verb", required=True)
    for add in (
        _add_complete,
        _add_explain,
        _add_prosthesis,
        _add_register,
        add_serve,
        _add_demo,
        _add_sample,
        _add_train,
    ):
        add(verbs)
    return root


def _add_complete(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "complete",
        run=run.complete,
        about="Complete a partial scan of a face.",
        example="facecom complete data/demo/nose.ply --out out/nose",
        files={**RESULT_FILES, **DEFECT_FILES, **DETAIL_FILES},
    )
    verb.add_argument(
        "scan",
        type=Path,
        help="mesh or point cloud, such as PLY, OBJ, STL, GLB, PCD or XYZ (docs/files.md lists all); any pose",
    )
    verb.add_argument("--out", type=Path, required=True, help=OUT_HELP)
    _add_stage_options(verb)
    _add_common_options(verb)


def _add_explain(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "explain",
        run=run.explain,
        about="Complete a scan, then repeat the fit with each stage left out in turn, and say what each is worth.",
        example="facecom explain data/demo/nose.ply --out out/nose",
        files={**EXPLAIN_FILES, **RESULT_FILES, **DEFECT_FILES, **DETAIL_FILES},
    )
    verb.add_argument("scan", type=Path, help="the scan; any pose")
    verb.add_argument("--out", type=Path, required=True, help=OUT_HELP)
    _add_stage_options(verb)
    _add_common_options(verb)


def _add_prosthesis(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "prosthesis",
        run=run.prosthesis,
        about="Design a facial prosthesis and its mould: a design aid, not a medical device; a clinician decides.",
        example="facecom prosthesis data/demo/nose.ply --out out/nose_prosthesis",
        files=PROSTHESIS_FILES,
    )
    verb.add_argument("scan", type=Path, help="scan of the face with the part missing, or with the wound as a surface")
    verb.add_argument("--out", type=Path, required=True, help=OUT_HELP)
    lengths = {
        "margin": "width of the margin on healthy skin",
        "edge": "thickness at the margin's outer border",
        "lip": "thickness at the defect's edge",
        "wall": "thickness over the open cavity",
        "clearance": "distance between prosthesis and tissue",
    }
    for name, text in lengths.items():
        verb.add_argument(f"--{name}", type=float, metavar="MM", help=f"{text}, mm")
    verb.add_argument("--axis", default="auto", help="withdrawal path: auto, front, or x,y,z in the face frame")
    verb.add_argument("--region", help="part to be replaced, such as l_ear, where it is not just a hole")
    verb.add_argument("--trim", action="store_true", help="cut tissue that stands in the way, and list what to cut")
    verb.add_argument("--least-cm3", type=float, metavar="CM3", help="refuse smaller parts")
    verb.add_argument("--least-scanned", type=float, metavar="SHARE", help="refuse margins of which less was scanned")
    verb.add_argument("--samples", type=int, default=0, metavar="K", help="further designs drawn from the posterior")
    _add_detail_option(verb, "skin relief on the outer surface")
    _add_mark_options(verb)
    _add_common_options(verb)


def _add_register(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "register",
        run=run.register,
        about="Register scans to the template's topology; three or more also give a linear face model.",
        example="facecom register data/demo/nose.ply data/demo/orbit_and_cheek.obj --out out/registered",
        files={
            "NAME.ply": "for each scan: the registered face, with observed, residual_mm, sigma_mm and region",
            "NAME.csv": "for each scan: the landmarks as a table",
            "NAME.json": "for each scan: the landmarks as JSON",
            "NAME.mrk.json": "for each scan: the landmarks for 3D Slicer",
            "mean.ply": "the mean of the faces, mm, face frame",
            "model/": "with three scans or more: a linear face model",
            "report.json": "verdict, pose, coverage and residuals of each scan",
        },
    )
    verb.add_argument("scans", type=Path, nargs="+", help="files, such as scans/*.obj; whole or partial, any pose")
    verb.add_argument("--out", type=Path, required=True, help=OUT_HELP)
    _add_unit_options(verb, "of the scans")
    verb.add_argument("--model", type=Path, help="folder of a face model; the shipped one unless given")
    verb.add_argument("--relax-expression", action="store_true", help="bring each face to a neutral expression")
    verb.add_argument("--base-share", type=float, help=BASE_SHARE_HELP)
    verb.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_demo(verbs: Any) -> None:
    detail = {name: content.replace("with --detail", "for a fine scan") for name, content in DETAIL_FILES.items()}
    files = {**RESULT_FILES, **DEFECT_FILES, **detail}
    verb = add_verb(
        verbs,
        "demo",
        run=run.demo,
        about="Complete every scan of a folder.",
        example="facecom demo --scans data/demo --out out/demo",
        files={f"SCAN/{name}": content for name, content in files.items()},
    )
    verb.add_argument("--scans", type=Path, default=DEMO_SCANS, help="folder with the scans")
    verb.add_argument("--out", type=Path, default=DEMO_OUT, help="folder for the results, one folder a scan")
    _add_common_options(verb)
    verb.set_defaults(detail="own")


def _add_sample(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "sample",
        run=run.sample,
        about="Draw random faces from the face model.",
        example="facecom sample --number 5 --seed 1 --out out/faces",
        files={"face_0000.ply": "the first face, mm, face frame; the others are counted on from it"},
    )
    verb.add_argument("--number", type=int, default=1, help="how many")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--out", type=Path, required=True, help=OUT_HELP)
    verb.add_argument("--model", type=Path, help="folder of a face model; the shipped one unless given")
    levels = range(LEVEL_COUNT)
    verb.add_argument(
        "--level", type=int, choices=levels, default=levels[-1], help="level of the template, 0 coarse to 3 fine"
    )


def _add_train(verbs: Any) -> None:
    verb = add_verb(
        verbs,
        "train",
        run=training.train,
        about="Train a network face model on meshes of one topology, or on faces drawn from the shipped model.",
        example="facecom train out/registered_faces --out out/model --epochs 40",
        files={
            "model.json": "settings and description of the model",
            "weights.safetensors": "its weights",
            "state_00000/": "the state after an epoch, from which a run is resumed",
            "log/": "losses, for tensorboard",
        },
    )
    verb.add_argument(
        "data", type=Path, nargs="?", help="folder that `facecom register` wrote, or one of faces of one topology"
    )
    verb.add_argument("--out", type=Path, required=True, help="folder for the model; an interrupted run is resumed")
    drawn = "without a folder, or with few faces in it: number of faces that are drawn"
    verb.add_argument("--faces", type=int, default=TRAINING_FACES, help=drawn)
    verb.add_argument("--base-share", type=float, help=BASE_SHARE_HELP)
    verb.add_argument("--code", type=int, default=CODE_SIZE, help="entries of the code")
    verb.add_argument("--epochs", type=int, default=EPOCHS)
    verb.add_argument("--precision", choices=("no", "bf16", "fp16"), default="no", help="mixed precision")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--fresh", action="store_true", help="begin anew where the folder holds a run")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")


def _add_stage_options(verb: argparse.ArgumentParser) -> None:
    guidance = (
        "whether inpainted images of the scan guide the fit: auto (what docs/guidance.md finds best), none, shipped, "
        "or a diffusers pipeline of your own: a folder, or owner/name@commit"
    )
    verb.add_argument("--guidance", type=_guidance, metavar="HOW", default="auto", help=guidance)
    _add_detail_option(verb, "skin relief on the made-up part")
    _add_mark_options(verb)


def _add_mark_options(verb: argparse.ArgumentParser) -> None:
    forms = (
        "a painted mesh or cloud, JSON, an image in the texture's coordinates, attribute:NAME, color:RRGGBB or a region"
    )
    missing = f"what of the scan is no face, such as a wound's bed: auto (it is looked for), none, or {forms}"
    verb.add_argument("--missing", metavar="MARKS", action="append", help=missing)
    verb.add_argument("--doubted", metavar="MARKS", action="append", help=f"skin not to be believed, swelling: {forms}")
    verb.add_argument("--no-snap", action="store_true", help="leave borders of marks where they were painted")


def _add_detail_option(verb: argparse.ArgumentParser, about: str) -> None:
    choices = ("own", "synthetic")
    text = f"{about}: own (from this person's skin), synthetic where there is none"
    verb.add_argument("--detail", nargs="?", const="own", choices=choices, help=text)


def _guidance(text: str) -> str:
    """The value of --guidance, checked before any work begins."""
    if text not in ("auto", "none", "shipped"):
        from facecom.guidance.diffusers_pipeline import named_pipeline

        try:
            named_pipeline(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _add_unit_options(verb: argparse.ArgumentParser, whose: str) -> None:
    about = f"unit {whose}; free where nobody knows it, as with photogrammetry: the face then tells it to some 6 %%"
    verb.add_argument("--unit", choices=UNITS, default="auto", help=about)
    verb.add_argument("--mm-per-unit", type=float, metavar="MM", help=f"length of the unit {whose}, in place of --unit")


def _add_common_options(verb: argparse.ArgumentParser) -> None:
    _add_unit_options(verb, "of the scan")
    verb.add_argument("--model", type=Path, help="folder of a face model; the shipped one unless given")
    verb.add_argument(
        "--landmarks",
        type=Path,
        help="named points in the scan's own frame and unit: JSON, Slicer, MeshLab, CSV or npy",
    )
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--quiet", action="store_true", help="no progress bar")
