"""The verbs and their options."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from facecom.commands import training
from facecom.commands import verbs as run
from facecom.commands.serving import serve_verb


def parser() -> argparse.ArgumentParser:
    """The whole command line; the function that a verb runs is its `run`."""
    whole = argparse.ArgumentParser(prog="facecom", description="Complete partial 3D scans of faces.")
    verbs = whole.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("complete", help="complete one scan", description="Complete a partial scan of a face.")
    verb.add_argument("scan", type=Path, help="PLY, OBJ, STL, OFF, GLB, PCD or XYZ; any pose")
    verb.add_argument("--out", type=Path, required=True, help="folder for the results; made where it is missing")
    _made_options(verb)
    _common(verb)
    verb.set_defaults(run=run.complete)
    about = "Complete a scan and say what each stage is worth on it: the job is repeated with each left out in turn."
    verb = verbs.add_parser("explain", help="say what each stage is worth on a scan", description=about)
    verb.add_argument("scan", type=Path, help="the scan; any pose")
    verb.add_argument("--out", type=Path, required=True, help="folder for explain.html, explain.json and the results")
    _made_options(verb)
    _common(verb)
    verb.set_defaults(run=run.explain)
    _prosthesis_verb(verbs)
    _register_verb(verbs)
    serve_verb(verbs)
    verb = verbs.add_parser("demo", help="complete the demo scans", description="Complete every scan of a folder.")
    verb.add_argument("--scans", type=Path, default=Path("data/demo"), help="folder with the scans")
    verb.add_argument("--out", type=Path, default=Path("out/demo"))
    _common(verb)
    verb.set_defaults(run=run.demo, detail="own")
    verb = verbs.add_parser("sample", help="draw random faces", description="Draw random faces from the model.")
    verb.add_argument("--number", type=int, default=1, help="how many")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--out", type=Path, required=True, help="folder for face_0000.ply, ...; mm, face frame")
    verb.add_argument("--model", type=Path, help="folder of a model; the shipped one unless given")
    verb.add_argument("--level", type=int, choices=range(4), default=3, help="resolution, 0 coarse to 3 fine")
    verb.set_defaults(run=run.sample)
    verb = verbs.add_parser("train", help="train a face model", description="Train the network generator on faces.")
    verb.add_argument("data", type=Path, nargs="?", help="folder of registered faces of one topology")
    verb.add_argument("--out", type=Path, required=True, help="folder for the model; a run that was killed goes on")
    verb.add_argument("--faces", type=int, default=2000, help="without a folder: faces drawn from the shipped model")
    verb.add_argument("--code", type=int, default=128, help="entries of the code")
    verb.add_argument("--epochs", type=int, default=40)
    verb.add_argument("--precision", choices=("no", "bf16", "fp16"), default="no", help="mixed precision")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--fresh", action="store_true", help="begin anew where the folder holds a run")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")
    verb.set_defaults(run=training.train)
    return whole


def _prosthesis_verb(verbs: Any) -> None:
    about = "Design the part that a face lacks, and its mould: a design aid, not a medical device; a clinician decides."
    verb = verbs.add_parser("prosthesis", help="design a prosthesis", description=about)
    verb.add_argument("scan", type=Path, help="scan of the face with the part missing, or with the wound as a surface")
    verb.add_argument("--out", type=Path, required=True, help="folder for the results; made where it is missing")
    lengths = {
        "margin": "width of the band on healthy skin",
        "edge": "thickness at the band's outer border",
        "lip": "thickness at the defect's edge",
        "wall": "thickness over the open cavity",
        "clearance": "gap between part and tissue",
    }
    for name, text in lengths.items():
        verb.add_argument(f"--{name}", type=float, metavar="MM", help=f"{text}, mm")
    verb.add_argument("--axis", default="auto", help="withdrawal axis: auto, front, or x,y,z in the face frame")
    verb.add_argument("--region", help="part to be replaced, such as l_ear, where it is not just a hole")
    verb.add_argument("--samples", type=int, default=0, metavar="K", help="other designs drawn from the posterior")
    relief = "give the outer face skin relief: own (from this person's skin), synthetic where there is none"
    verb.add_argument("--detail", nargs="?", const="own", choices=("own", "synthetic"), help=relief)
    _common(verb)
    verb.set_defaults(run=run.prosthesis)


def _made_options(verb: argparse.ArgumentParser) -> None:
    about = "make skin relief for what was missing: own (from this person's skin), synthetic where there is none"
    pictures = (
        "whether inpainted pictures of the scan pull the fit: auto (what docs/guidance.md finds best), none, shipped, "
    )
    pictures += "or a pipeline of your own: a folder, or owner/name@commit"
    verb.add_argument("--guidance", type=_pictures, metavar="HOW", default="auto", help=pictures)
    verb.add_argument("--detail", nargs="?", const="own", choices=("own", "synthetic"), help=about)


def _pictures(text: str) -> str:
    """A word for --guidance, checked before any work begins."""
    if text not in ("auto", "none", "shipped"):
        from facecom.guidance.diffusers_pipeline import named_pipeline

        try:
            named_pipeline(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from error
    return text


def _register_verb(verbs: Any) -> None:
    about = "Bring scans to the template's topology; with three or more, make a mean and a linear model of them."
    verb = verbs.add_parser("register", help="bring scans to one topology", description=about)
    verb.add_argument("scans", type=Path, nargs="+", help="whole or partial scans of faces; any pose")
    verb.add_argument("--out", type=Path, required=True, help="folder for the results; made where it is missing")
    verb.add_argument("--unit", choices=("mm", "cm", "m", "auto"), default="auto", help="unit of the scans")
    verb.add_argument("--model", type=Path, help="folder of a linear face model; the shipped one unless given")
    verb.add_argument("--relax-expression", action="store_true", help="bring each face to a neutral expression")
    verb.add_argument("--base-share", type=float, default=0.0, help="share of the shipped model kept in the new one")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")
    verb.set_defaults(run=run.register)


def _common(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--unit", choices=("mm", "cm", "m", "auto"), default="auto", help="unit of the scan")
    verb.add_argument("--model", type=Path, help="folder of a face model; the shipped one unless given")
    verb.add_argument("--landmarks", type=Path, help="JSON: name -> [x, y, z] in the scan's own frame; none are needed")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--quiet", action="store_true", help="no progress bar")
