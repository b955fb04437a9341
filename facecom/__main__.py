"""The command line: `facecom complete SCAN --out DIR` and its kin.

Exit status: 0 done; 2 wrong use or unreadable input; 3 not a face, or too little of one; 1 a bug; 130 Ctrl-C.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecom.errors import AlignmentError, CheckpointError, FacecomError, FitError, MissingDependency, ScanError

if TYPE_CHECKING:
    from facecom.completion import Completion

DONE, BUG, WRONG_USE, NO_FACE, STOPPED = 0, 1, 2, 3, 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    options = _parser().parse_args(arguments)
    try:
        options.run(options)
    except (AlignmentError, FitError) as error:
        return _complain(error, NO_FACE)
    except (ScanError, CheckpointError, MissingDependency, ValueError, OSError) as error:
        return _complain(error, WRONG_USE)
    except FacecomError as error:
        return _complain(error, BUG)
    except KeyboardInterrupt:
        return _complain("stopped; nothing was written", STOPPED)
    return DONE


def _complain(error: Exception | str, status: int) -> int:
    text = " ".join(str(error).split())
    print(f"facecom: {text}", file=sys.stderr)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="facecom", description="Complete partial 3D scans of faces.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    verb = verbs.add_parser("complete", help="complete one scan", description="Complete a partial scan of a face.")
    verb.add_argument("scan", type=Path, help="PLY, OBJ, STL, OFF, GLB, PCD or XYZ; any pose")
    verb.add_argument("--out", type=Path, required=True, help="folder for the results; made where it is missing")
    _made_options(verb)
    _common(verb)
    verb.set_defaults(run=_complete)
    about = "Complete a scan and say what each stage is worth on it: the job is repeated with each left out in turn."
    verb = verbs.add_parser("explain", help="say what each stage is worth on a scan", description=about)
    verb.add_argument("scan", type=Path, help="the scan; any pose")
    verb.add_argument("--out", type=Path, required=True, help="folder for explain.html, explain.json and the results")
    _made_options(verb)
    _common(verb)
    verb.set_defaults(run=_explain)
    _prosthesis_verb(verbs)
    _register_verb(verbs)
    verb = verbs.add_parser("demo", help="complete the demo scans", description="Complete every scan of a folder.")
    verb.add_argument("--scans", type=Path, default=Path("data/demo"), help="folder with the scans")
    verb.add_argument("--out", type=Path, default=Path("out/demo"))
    _common(verb)
    verb.set_defaults(run=_demo, detail="own")
    verb = verbs.add_parser("sample", help="draw random faces", description="Draw random faces from the model.")
    verb.add_argument("--number", type=int, default=1, help="how many")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--out", type=Path, required=True, help="folder for face_0000.ply, ...; mm, face frame")
    verb.add_argument("--model", type=Path, help="folder of a model; the shipped one unless given")
    verb.add_argument("--level", type=int, choices=range(4), default=3, help="resolution, 0 coarse to 3 fine")
    verb.set_defaults(run=_sample)
    verb = verbs.add_parser("train", help="train a face model", description="Train the network generator on faces.")
    verb.add_argument("data", type=Path, nargs="?", help="folder of registered faces (mm, template topology)")
    verb.add_argument("--out", type=Path, required=True, help="folder for the model; a run that was killed goes on")
    verb.add_argument("--faces", type=int, default=2000, help="without a folder: faces drawn from the shipped model")
    verb.add_argument("--code", type=int, default=128, help="entries of the code")
    verb.add_argument("--epochs", type=int, default=40)
    verb.add_argument("--precision", choices=("no", "bf16", "fp16"), default="no", help="mixed precision")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--fresh", action="store_true", help="begin anew where the folder holds a run")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")
    verb.set_defaults(run=_train)
    return parser


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
    verb.add_argument("--samples", type=int, default=0, help="other designs drawn from the posterior")
    _common(verb)
    verb.set_defaults(run=_prosthesis)


def _made_options(verb: argparse.ArgumentParser) -> None:
    about = "make skin relief for what was missing: own (from this person's skin), synthetic where there is none"
    pictures = "whether inpainted pictures of the scan pull the fit; auto is what docs/guidance.md finds best"
    verb.add_argument("--guidance", choices=("auto", "none", "shipped"), default="auto", help=pictures)
    verb.add_argument("--detail", nargs="?", const="own", choices=("own", "synthetic"), help=about)


def _register_verb(verbs: Any) -> None:
    about = "Bring scans to the template's topology; with three or more, make a mean and a linear model of them."
    verb = verbs.add_parser("register", help="bring scans to one topology", description=about)
    verb.add_argument("scans", type=Path, nargs="+", help="whole or partial scans of faces; any pose")
    verb.add_argument("--out", type=Path, required=True, help="folder for the results; made where it is missing")
    verb.add_argument("--unit", choices=("mm", "cm", "m", "auto"), default="auto", help="unit of the scans")
    verb.add_argument("--relax-expression", action="store_true", help="bring each face to a neutral expression")
    verb.add_argument("--base-share", type=float, default=0.0, help="share of the shipped model kept in the new one")
    verb.add_argument("--quiet", action="store_true", help="no progress bar")
    verb.set_defaults(run=_register)


def _common(verb: argparse.ArgumentParser) -> None:
    verb.add_argument("--unit", choices=("mm", "cm", "m", "auto"), default="auto", help="unit of the scan")
    verb.add_argument("--model", type=Path, help="folder of a face model; the shipped one unless given")
    verb.add_argument("--landmarks", type=Path, help="JSON: name -> [x, y, z] in the scan's own frame; none are needed")
    verb.add_argument("--seed", type=int, default=0)
    verb.add_argument("--quiet", action="store_true", help="no progress bar")


def _complete(options: argparse.Namespace) -> None:
    landmarks = read_landmarks(options.landmarks) if options.landmarks else None
    with _folder(options.out) as partial:
        result = _completed(options.scan, landmarks, options)
        write_results(result, partial, name=options.scan.name)
    print(_table({options.scan.name: result}))
    print(f"written to {options.out}")


def _prosthesis(options: argparse.Namespace) -> None:
    from facecom.prosthesis import alternatives, design_all

    given = {f"{n}_mm": getattr(options, n) for n in ("margin", "edge", "lip", "wall", "clearance")}
    choices: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    axis = options.axis if options.axis in ("auto", "front") else _numbers(options.axis)
    choices |= {"axis": axis, "region": options.region, "seed": options.seed}
    landmarks = read_landmarks(options.landmarks) if options.landmarks else None
    result = _completed(options.scan, landmarks, options)
    parts = design_all(result, **choices)
    folders = [options.out / f"part_{k + 1}" for k in range(len(parts))] if len(parts) > 1 else [options.out]
    others = alternatives(result, options.samples, **choices) if options.samples else []
    folders += [options.out / f"sample_{k + 1}" for k in range(len(others))]
    for folder, part in zip(folders, [*parts, *others], strict=True):
        with _folder(folder) as partial:
            part.save(partial)
        i = part.inspection
        print(
            f"{folder}: wall {i.wall.median:.1f} mm, rim {i.rim.min:.2f} mm and more, {i.volume_mm3 / 1000:.1f} cm3, "
            f"{i.mass_g:.0f} g; {i.notice}"
        )
        for text in part.warnings:
            print(f"  warning: {text}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"--axis must be auto, front or three numbers such as 0,-0.3,1, got {text!r}") from None


def _demo(options: argparse.Namespace) -> None:
    scans = sorted(p for p in options.scans.glob("*") if p.suffix in (".ply", ".obj", ".stl", ".glb", ".off", ".xyz"))
    if not scans:
        raise ScanError(f"{options.scans} holds no scans; run this from the project's folder or give --scans")
    results = {}
    for scan in scans:
        folder = options.out / scan.stem
        with _folder(folder) as partial:
            results[scan.name] = _completed(scan, None, options)
            write_results(results[scan.name], partial, name=scan.name)
    print(_table(results))
    for scan in scans:
        print(f"{scan.name}: {options.out / scan.stem}/{{face,merged,patch}}.ply, report.json, preview.png")


def _sample(options: argparse.Namespace) -> None:
    from facecom.model.checkpoint import load_generator
    from facecom.model.sampling import sample_meshes
    from facecom.scan.files import write_mesh

    faces = sample_meshes(load_generator(options.model), options.number, seed=options.seed, level=options.level)
    with _folder(options.out) as partial:
        for k, mesh in enumerate(faces):
            write_mesh(partial / f"face_{k:04d}.ply", mesh)
    print(f"{len(faces)} faces written to {options.out}")


def _register(options: argparse.Namespace) -> None:
    from facecom.registration import register, write_registrations

    bar = _Bar("register", quiet=options.quiet or not sys.stderr.isatty())
    try:
        relax = options.relax_expression
        results = register(options.scans, unit=options.unit, relax_expression=relax, progress=bar.show)
    finally:
        bar.close()
    with _folder(options.out) as partial:
        write_registrations(results, partial, base_share=options.base_share)
    for result in results:
        print(f"{result.name}: {result.verdict}")
    print(f"written to {options.out}")


def _train(options: argparse.Namespace) -> None:
    from facecom.model.linear import LinearGenerator
    from facecom.model.mixing import mixed_faces
    from facecom.model.network import Sizes
    from facecom.model.training import TrainSettings, iterate_training

    sizes = Sizes(code=options.code)
    settings = TrainSettings(sizes=sizes, epochs=options.epochs, precision=options.precision, seed=options.seed)
    model = LinearGenerator.load()
    faces = _registered(options.data) if options.data else mixed_faces(model, options.faces, seed=options.seed)
    bar = _Bar("train", quiet=options.quiet or not sys.stderr.isatty())
    for state in iterate_training(faces, model.template, options.out, settings=settings, resume=not options.fresh):
        bar.show(f"{state.error_mm:.3f} mm", (state.epoch + 1) / state.epochs)
    bar.close()
    print(f"model of {options.code} entries from {len(faces)} faces written to {options.out}")


def _registered(folder: Path) -> Any:
    import numpy as np

    from facecom.scan.files import read_scan

    files = sorted(p for p in folder.glob("*") if p.suffix in (".ply", ".obj", ".stl", ".glb", ".off"))
    if not files:
        raise ScanError(f"{folder} holds no meshes; give a folder of registered faces")
    first = read_scan(files[0])
    out = np.empty((len(files), *first.vertices.shape), np.float32)
    for k, path in enumerate(files):
        mesh = read_scan(path)
        if mesh.faces.shape != first.faces.shape or not np.array_equal(mesh.faces, first.faces):
            raise ScanError(f"{path} has other triangles than {files[0].name}; register them to one topology first")
        out[k] = mesh.vertices
    return out


def _explain(options: argparse.Namespace) -> None:
    from facecom.report.ablation import ablate
    from facecom.report.explain import explain_html, explain_json, explain_text
    from facecom.scan.files import write_bytes

    landmarks = read_landmarks(options.landmarks) if options.landmarks else None
    with _folder(options.out) as partial:
        result = _completed(options.scan, landmarks, options)
        write_results(result, partial, name=options.scan.name)
        bar = _Bar("without", quiet=options.quiet or not sys.stderr.isatty())
        try:
            found = ablate(result, progress=bar.show)
        finally:
            bar.close()
        text = json.dumps(explain_json(found), indent=1, sort_keys=True)
        write_bytes(partial / "explain.json", (text + "\n").encode())
        write_bytes(partial / "explain.html", explain_html(found, name=options.scan.name).encode())
    print(explain_text(found))
    print(f"written to {options.out}")


def _completed(scan: Path, landmarks: Mapping[str, Any] | None, options: argparse.Namespace) -> Completion:
    from facecom.completion import CompletionSettings, complete

    model: Any = None
    if options.model:
        from facecom.model.checkpoint import load_generator

        model = load_generator(options.model)
    bar = _Bar(scan.name, quiet=options.quiet or not sys.stderr.isatty())
    try:
        return complete(
            scan,
            unit=options.unit,
            landmarks=landmarks,
            guidance=getattr(options, "guidance", "auto"),
            model=model,
            detail=getattr(options, "detail", None) or "none",
            settings=CompletionSettings(seed=options.seed),
            progress=bar.show,
        )
    finally:
        bar.close()


class _Bar:
    """One line on stderr that says which stage runs."""

    def __init__(self, title: str, *, quiet: bool) -> None:
        self._title, self._quiet, self._since = title, quiet, time.perf_counter()

    def show(self, stage: str, share: float) -> None:
        if not self._quiet:
            done = int(24 * share)
            seconds = time.perf_counter() - self._since
            print(
                f"\r{self._title} [{'#' * done}{'.' * (24 - done)}] {stage:12s} {seconds:5.1f} s",
                end="",
                file=sys.stderr,
            )

    def close(self) -> None:
        if not self._quiet:
            print("\r\033[K", end="", file=sys.stderr)


def read_landmarks(path: Path) -> dict[str, list[float]]:
    """Named points from a JSON file: an object of name -> [x, y, z].

    Raises
    ------
    ScanError
        When the file cannot be read or holds something else.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ScanError(f"{path}: the landmarks cannot be read ({error.strerror}); check the path") from None
    except ValueError as error:
        raise ScanError(f"{path} is not JSON ({error}); write an object of name: [x, y, z]") from None
    sound = isinstance(found, dict) and all(
        isinstance(p, list) and len(p) == 3 and all(isinstance(x, int | float) for x in p) for p in found.values()
    )
    if not sound:
        raise ScanError(f"{path} does not hold landmarks; write an object of name: [x, y, z]")
    return found


@contextmanager
def _folder(out: Path) -> Iterator[Path]:
    """A hidden folder in `out` whose files move to their places when all went well; else nothing stays behind."""
    made = [p for p in (out, *out.parents) if not p.exists()]
    partial = out / f".partial-{os.getpid()}"
    try:
        partial.mkdir(parents=True)
    except OSError as error:
        raise ScanError(f"{out} cannot be written ({error.strerror}); choose another folder") from None
    done = False
    try:
        yield partial
        for file in sorted(partial.iterdir()):
            if file.is_dir():
                shutil.rmtree(out / file.name, ignore_errors=True)
            os.replace(file, out / file.name)
        done = True
    finally:
        shutil.rmtree(partial, ignore_errors=True)
        for folder in [] if done else made:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()


def write_results(result: Completion, folder: Path, *, name: str = "scan") -> None:
    """Write face.ply, merged.ply, patch.ply, report.json, report.html and preview.png into an existing folder."""
    from facecom.report.html import report_html
    from facecom.report.preview import png_bytes, preview
    from facecom.scan.files import write_bytes

    result.save(folder)
    picture = preview(
        result.evidence.scan.mesh, result.merged, provenance=result.merged_provenance, pose=result.pose.inverse()
    )
    write_bytes(folder / "preview.png", png_bytes(picture))
    write_bytes(folder / "report.html", report_html(result, name=name, overview=picture).encode())


def _table(results: Mapping[str, Completion]) -> str:
    lines = [
        f"{'scan':28s} unit measured made up  sigma there  scan to face   holes  seconds by stage",
    ]
    for name, result in results.items():
        r = result.report
        stages = " ".join(f"{stage} {seconds:.1f}" for stage, seconds in r.seconds.items() if seconds >= 0.05)
        lines.append(
            f"{name:28s} {r.unit:4s} {r.measured_share:7.0%} {r.made_share:7.0%} {r.sigma_made_mm:8.2f} mm "
            f"{r.scan_to_face_mm.get('all', float('nan')):9.3f} mm {r.holes_filled:7d}  {stages}"
        )
        lines += [f"  warning: {text}" for text in r.warnings]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
