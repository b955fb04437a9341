"""What each verb does: it calls the library, writes a folder and prints a table."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from facecom.commands.exit_status import BOUND_BROKEN, DONE, SOME_FAILED
from facecom.commands.output_folder import output_folder
from facecom.commands.running import ProgressBar, completed, table, write_results
from facecom.errors import ScanError
from facecom.io.landmarks import read_landmarks

if TYPE_CHECKING:
    from facecom.prosthesis import Prosthesis


def complete(options: argparse.Namespace) -> None:
    """Complete one scan."""
    landmarks = read_landmarks(options.landmarks) if options.landmarks else None
    with output_folder(options.out, inputs=(options.scan, options.model, options.landmarks)) as partial:
        result = completed(options.scan, landmarks, options)
        write_results(result, partial, name=options.scan.name)
    print(table({options.scan.name: result}))
    print(f"written to {options.out}")


def prosthesis(options: argparse.Namespace) -> int:
    """Design the prostheses of one scan: a folder for each part where there are several, in it one for each sample.

    All parts are written; the status says whether one of them breaks a bound of its check.
    """
    from facecom.prosthesis import DesignSettings, alternatives, design_all

    lengths = {f"{name}_mm": getattr(options, name) for name in ("margin", "edge", "lip", "wall", "clearance")}
    choices: dict[str, Any] = {name: value for name, value in lengths.items() if value is not None}
    axis = options.axis if options.axis in ("auto", "front") else _numbers(options.axis)
    choices |= {"axis": axis, "region": options.region, "trim": options.trim, "seed": options.seed}
    choices |= {n: getattr(options, n) for n in ("least_cm3", "least_scanned") if getattr(options, n) is not None}
    settings = DesignSettings(**choices)  # refuses what does not fit together before any work
    if options.samples < 0:
        raise ValueError(f"--samples must not be negative, got {options.samples}")
    landmarks = read_landmarks(options.landmarks) if options.landmarks else None
    with output_folder(options.out, inputs=(options.scan, options.model, options.landmarks)) as partial:
        result = completed(options.scan, landmarks, options)
        parts = design_all(result, settings=settings)
        names = [f"part_{k + 1}" if len(parts) > 1 else "" for k in range(len(parts))]
        designs = []
        for name, part in zip(names, parts, strict=True):
            others = alternatives(result, options.samples, settings=part.settings) if options.samples else []
            _write_designs(partial / name, part, others)
            designs.append((options.out / name, part, others))
    for folder, part, others in designs:
        _print_designs(folder, part, others)
    written = [one for _, part, others in designs for one in (part, *others)]
    return BOUND_BROKEN if any(one.inspection.check.broken for one in written) else DONE


def _write_designs(folder: Path, part: Prosthesis, others: list[Prosthesis]) -> None:
    from facecom.prosthesis import save_comparison

    part.save(folder)
    for k, other in enumerate(others):
        other.save(folder / f"sample_{k + 1}")
    if others:
        save_comparison([part, *others], folder / "samples.png")


def _print_designs(folder: Path, part: Prosthesis, others: list[Prosthesis]) -> None:
    for name, one in [("", part), *((f"/sample_{k + 1}", other) for k, other in enumerate(others))]:
        i = one.inspection
        print(
            f"{folder}{name}: wall {i.wall.median:.1f} mm, rim {i.rim.min:.2f} mm and more, "
            f"{i.volume_mm3 / 1000:.1f} cm3, {i.mass_g:.0f} g; {i.notice}"
        )
        for text in one.warnings:
            print(f"  warning: {text}")


def _numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in text.split(","))
    except ValueError:
        raise ValueError(f"--axis must be auto, front or three numbers such as 0,-0.3,1, got {text!r}") from None


def demo(options: argparse.Namespace) -> None:
    """Complete every scan of a folder."""
    scans = scans_in(options.scans)
    if not scans:
        raise ScanError(f"{options.scans} holds no scans; run this from the project's folder or give --scans")
    stems = [scan.stem for scan in scans]
    folders = [options.out / (scan.stem if stems.count(scan.stem) == 1 else scan.name) for scan in scans]
    results = {}
    for scan, folder in zip(scans, folders, strict=True):
        with output_folder(folder, inputs=(scan, options.model)) as partial:
            results[scan.name] = completed(scan, None, options)
            write_results(results[scan.name], partial, name=scan.name)
    print(table(results))
    print("open in a browser:")
    for folder in folders:
        print(f"  {folder / 'report.html'}")


def scans_in(folder: Path) -> list[Path]:
    """The files of a folder that can be read as scans, by their endings, sorted."""
    from facecom.io.files import READABLE

    return sorted(path for path in folder.glob("*") if path.suffix.lower() in READABLE)


def sample(options: argparse.Namespace) -> None:
    """Draw random faces."""
    from facecom.io.files import write_mesh
    from facecom.model.checkpoint import SHIPPED, load_model
    from facecom.model.sampling import sample_meshes

    faces = sample_meshes(load_model(options.model or SHIPPED), options.number, seed=options.seed, level=options.level)
    with output_folder(options.out, inputs=(options.model,)) as partial:
        for k, mesh in enumerate(faces):
            write_mesh(partial / f"face_{k:04d}.ply", mesh)
    print(f"{len(faces)} faces written to {options.out}")


def register(options: argparse.Namespace) -> int:
    """Register scans to one topology; the status says whether some of them could not be."""
    from facecom.model.checkpoint import load_model
    from facecom.registration import Registration, register_each, write_registrations

    if options.base_share is not None and not options.base_share >= 0.0:
        raise ValueError(f"--base-share must not be negative, got {options.base_share}")
    inputs = (*options.scans, options.model)
    with output_folder(options.out, inputs=inputs) as partial:
        model: Any = load_model(options.model) if options.model else None
        bar = ProgressBar("register", quiet=options.quiet or not sys.stderr.isatty())
        relax = options.relax_expression
        try:
            found = list(
                register_each(
                    options.scans,
                    unit=options.unit,
                    mm_per_unit=options.mm_per_unit,
                    model=model,
                    relax_expression=relax,
                    progress=bar.show,
                )
            )
        finally:
            bar.close()
        results = [one for one in found if isinstance(one, Registration)]
        errors = {one.name: one.error for one in found if not isinstance(one, Registration)}
        if not results:
            raise _all_failed(list(errors.values()))
        failed = {name: " ".join(str(error).split()) for name, error in errors.items()}
        write_registrations(results, partial, model=model, base_share=options.base_share, failed=failed)
    for result in results:
        print(f"{result.name}: {result.verdict}")
        for text in result.warnings:
            print(f"  warning: {text}")
    for text in failed.values():
        print(f"failed: {text}")
    _print_model(len(results), options.base_share)
    print(f"written to {options.out}" + (f"; {len(failed)} of {len(found)} scans failed" if failed else ""))
    return SOME_FAILED if failed else DONE


def _all_failed(errors: list[Exception]) -> Exception:
    """One error for scans of which none could be registered: the first, and how many there were."""
    if len(errors) == 1:
        return errors[0]
    kinds = {type(error) for error in errors}
    kind = kinds.pop() if len(kinds) == 1 else ScanError
    return kind("none of the scans could be registered: " + "; ".join(map(str, errors)))


def _print_model(faces: int, base_share: float | None) -> None:
    from facecom.registration import default_base_share
    from facecom.registration.population import LEAST_FACES

    if faces < LEAST_FACES:
        print(f"no model: it needs {LEAST_FACES} faces")
        return
    share = default_base_share(faces) if base_share is None else base_share
    print(f"model of {faces} faces, with {share:.0%} of the variance of the model they were registered with added")


def explain(options: argparse.Namespace) -> None:
    """Complete one scan, and measure the effect of each stage on it."""
    from facecom.io.files import write_bytes
    from facecom.report.ablation import ablate
    from facecom.report.explain import explain_html, explain_json, explain_text

    landmarks = read_landmarks(options.landmarks) if options.landmarks else None
    with output_folder(options.out, inputs=(options.scan, options.model, options.landmarks)) as partial:
        result = completed(options.scan, landmarks, options)
        write_results(result, partial, name=options.scan.name)
        bar = ProgressBar("without", quiet=options.quiet or not sys.stderr.isatty())
        try:
            ablation = ablate(result, progress=bar.show)
        finally:
            bar.close()
        text = json.dumps(explain_json(ablation), indent=1, sort_keys=True)
        write_bytes(partial / "explain.json", (text + "\n").encode())
        write_bytes(partial / "explain.html", explain_html(ablation, name=options.scan.name).encode())
    print(explain_text(ablation))
    print(f"written to {options.out}")
