"""What guidance is worth: the errors of completion without it, with the shipped networks, and with true pictures.

    python benchmarks/guidance.py CASES [--only NAME] [--cache out/guidance/fits] [--json FILE]

CASES holds a folder for each case with scan.ply, truth.npz (`missing`, `observed`: points of the true surface, in the
scan's frame and unit) and meta.json (head, defect, unit). The scan is fitted once; then the fit takes in the pictures'
observations as a Gaussian update, and each result is projected onto the scan in the same way. The oracle's pictures are
rendered from the true surface instead of filled in, which shows what perfect pictures would bring.
"""

from __future__ import annotations

import argparse
import json
import time
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from facecom import completion as job
from facecom.completion.alignment import face_mask, flip_orientation
from facecom.completion.stages import project
from facecom.fitting.fit import Fit
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh, face_cross, unit
from facecom.geometry.transform import Similarity
from facecom.guidance.guide import Guidance, guide
from facecom.guidance.inpainting import DepthInpainter, InpaintedView
from facecom.guidance.parsing import FaceParser
from facecom.guidance.rendering import rasterise
from facecom.guidance.settings import GuidanceSettings
from facecom.guidance.targets import ImageTarget, Observations, observations
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.scan.surface_reconstruction import surface_from_points

LEVEL = 2
PROPER_MM = 80.0
ORACLE_SIGMA_MM = 0.3
Z_NAMES = ("within_1_sigma", "within_2_sigma", "within_3_sigma")


def fitted_case(
    folder: Path, model: LinearGenerator, settings: job.CompletionSettings, cache: Path | None
) -> tuple[job.Scan, Fit]:
    """The scan, prepared, and the fit to it; a stored fit is used where there is one."""
    unit_name = json.loads((folder / "meta.json").read_text())["unit"]
    state = job.CompletionState(raw=read_scan(folder / "scan.ply"), unit=unit_name, model=model, settings=settings)
    state = job.COMPLETION.starting_at("clean").up_to("clean").run(state)
    scan = job.known(state.scan, "clean")
    stored = None if cache is None else cache / f"{folder.name}.npz"
    if stored is not None and stored.exists():
        with np.load(stored, allow_pickle=False) as a:
            pose = Similarity(a["rotation"], a["translation"])
            scan = flip_orientation(scan, settings) if a["inside_out"] else scan
            return scan, Fit(a["code"], pose, a["vertices"], int(a["level"]), a["precision"], a["matched"], {}, True)
    state = job.COMPLETION.starting_at("align").up_to("fit").run(state)
    scan, fit = job.known(state.scan, "clean"), job.known(state.fit, "fit")
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        arrays = {name: getattr(fit, name) for name in ("code", "vertices", "level", "precision", "matched")}
        side = np.array(scan.inside_out)
        np.savez(stored, rotation=fit.pose.rotation, translation=fit.pose.translation, inside_out=side, **arrays)
    return scan, fit


def true_pictures(found: Guidance, truth: Surface, face: Mesh, sigma_mm: float) -> tuple[Observations | None, dict]:
    """The same views with the true surface in the hole, and how far fitted face and network are from it there."""
    targets, gaps = [], []
    for view in found.views:
        camera = view.face.camera
        seen = rasterise(truth, camera)
        origins, directions = camera.rays()
        corners = truth.mesh.vertices[truth.mesh.faces[seen.faces]]
        points = np.einsum("hwk,hwkd->hwd", seen.barycentric, corners)
        depth = ((points - origins) * directions).sum(-1)
        normals = unit(face_cross(truth.mesh.vertices, truth.mesh.faces))[seen.faces]
        normals = normals * np.sign(normals @ camera.axes[2])[..., None]
        mask = view.inpainted.mask & (seen.faces >= 0) & (np.abs(depth - view.face.depth) < 10)
        if mask.any():
            targets.append(ImageTarget(camera, depth, normals, np.where(mask, sigma_mm, 0.0), mask))
            gaps.append(_gaps(view.inpainted, view.face.depth, depth, mask))
    pixels = np.concatenate(gaps) if gaps else np.zeros((0, 3))
    return observations(targets, face.vertices, face.faces) if targets else None, _figures(pixels)


def _figures(pixels: Floats) -> dict[str, float | None]:
    """Mean errors of fitted face and network, and how the network's lie beside its sigma, over pixels (P, 3)."""
    if not len(pixels):
        return {"pixels": 0} | dict.fromkeys(("face_mm", "network_mm", "z_rms", *Z_NAMES))
    z = np.abs(pixels[:, 1] / pixels[:, 2])
    own = {
        "face_mm": np.abs(pixels[:, 0]).mean(),
        "network_mm": np.abs(pixels[:, 1]).mean(),
        "z_rms": np.sqrt((z**2).mean()),
    }
    shares = {name: (z < k + 1).mean() for k, name in enumerate(Z_NAMES)}
    return {"pixels": len(pixels)} | {name: float(value) for name, value in (own | shares).items()}


def _gaps(filled: InpaintedView, face_depth: Floats, depth: Floats, mask: np.ndarray) -> Floats:
    return np.stack([(face_depth - depth)[mask], (filled.depth - depth)[mask], filled.sigma_mm[mask]], axis=1)


def scored(
    scan: job.Scan, model: LinearGenerator, settings: job.CompletionSettings, truth: dict[str, Floats]
) -> Callable[[Fit], dict[str, float]]:
    """Mean distance in mm of the true surface to the completed face, where it was missing and where it was seen."""

    def score(fit: Fit) -> dict[str, float]:
        state = job.CompletionState(scan=scan, model=model, fit=fit, settings=settings)
        projected = job.known(project(state).projection, "project")
        face = Surface(Mesh(projected.vertices, model.template.faces[3]))
        return {name: float(face.closest(fit.pose.apply(p)).distance.mean()) for name, p in truth.items()}

    return score


def run_case(folder: Path, model: LinearGenerator, guidance: GuidanceSettings, cache: Path | None) -> dict[str, Any]:
    """Errors of one case in the three ways, the pictures' own, and the processor seconds that guidance took."""
    settings = job.CompletionSettings()
    scan, fit = fitted_case(folder, model, settings, cache)
    with np.load(folder / "truth.npz", allow_pickle=False) as stored:
        truth = {name: stored[name] * scan.mm_per_unit for name in ("missing", "observed")}
    face = Mesh(model.decode(fit.code, level=LEVEL), model.template.faces[LEVEL])
    proper = face_mask(model.template, level=LEVEL, radius_mm=PROPER_MM)
    start = time.process_time()
    found = guide(
        scan.for_fit.mesh.with_vertices(fit.pose.apply(scan.for_fit.mesh.vertices)),
        face,
        face_mask=proper,
        settings=guidance,
    )
    seconds = time.process_time() - start
    every = fit.pose.apply(np.concatenate(list(truth.values())))
    true_surface = Surface(surface_from_points(Mesh(every, np.zeros((0, 3), int))))
    oracle, pictures = true_pictures(found, true_surface, face, ORACLE_SIGMA_MM)
    score = scored(scan, model, settings, truth)
    return {
        "case": folder.name,
        "none": score(fit),
        "shipped": score(job.apply_guidance(fit, model, found)),
        "oracle": score(job.apply_guidance(fit, model, replace(found, observations=oracle))),
        "pictures": pictures,
        "seconds": seconds,
        "observed_share": dict(found.observed_share),
        "warnings": found.warnings,
    }


def table(rows: list[dict]) -> str:
    """Markdown tables: errors where the scan was missing, by case and in the mean, and how sure the network was."""
    titles = ("none", "shipped", "oracle", "pictures: fitted face", "pictures: network")
    lines = ["| case | " + " | ".join(titles) + " |", "| --- |" + " --- |" * len(titles)]
    lines += [_line(row["case"], [row]) for row in rows]
    groups = groups_of(rows)
    lines += [_line(f"**{name}** ({len(part)})", part) for name, part in groups.items()]
    lines += ["", "| cases | root mean square of z | " + " | ".join(n.replace("_", " ") for n in Z_NAMES) + " |"]
    lines += ["| --- |" + " --- |" * (1 + len(Z_NAMES))]
    for name, part in groups.items():
        own = [r["pictures"] for r in part if r["pictures"]["pixels"]]
        weight = [p["pixels"] for p in own]
        shares = " | ".join(f"{np.average([p[n] for p in own], weights=weight):.0%}" for n in Z_NAMES)
        spread = np.sqrt(np.average([p["z_rms"] ** 2 for p in own], weights=weight))
        lines.append(f"| {name} | {spread:.2f} | {shares} |")
    return "\n".join(lines)


def groups_of(rows: list[dict]) -> dict[str, list[dict]]:
    """All rows, those of each defect, of each head, and all but halves."""
    named = [(row, *row["case"].removesuffix("_m").split("_", 1)) for row in rows]
    groups = {"mean": rows}
    groups |= {f"mean {d}": [r for r, _, own in named if own == d] for d in sorted({d for *_, d in named})}
    groups |= {f"mean of {h}": [r for r, own, _ in named if own == h] for h in sorted({h for _, h, _ in named})}
    return groups | {"mean without half": [r for r, _, d in named if d != "half"]}


def _line(name: str, rows: list[dict]) -> str:
    errors = [np.mean([r[k]["missing"] for r in rows]) for k in ("none", "shipped", "oracle")]
    usable = [r["pictures"] for r in rows if r["pictures"]["pixels"]]
    own = [np.mean([p[k] for p in usable]) if usable else np.nan for k in ("face_mm", "network_mm")]
    return f"| {name} | " + " | ".join(f"{e:.3f}" for e in errors) + " | " + " | ".join(f"{e:.2f}" for e in own) + " |"


def main() -> None:
    """Run the cases and print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("cases", type=Path)
    p.add_argument("--only", default="")
    p.add_argument("--cache", type=Path)
    p.add_argument("--sigma-scale", type=float, default=GuidanceSettings().sigma_scale)
    p.add_argument("--one-side", action="store_true", help="believe pixels whose place on the other side is unseen too")
    p.add_argument("--parse", action="store_true", help="run the parser too, which changes times alone")
    p.add_argument("--json", type=Path)
    arguments = p.parse_args()
    model, rows = LinearGenerator.load(), []
    # Loading the networks is paid once, by whoever comes first.
    if arguments.parse:
        FaceParser.from_pretrained()
    DepthInpainter.from_pretrained()
    guidance = GuidanceSettings(
        sigma_scale=arguments.sigma_scale, parse=arguments.parse, mirrored_only=not arguments.one_side
    )
    if arguments.json and arguments.json.exists():
        rows = json.loads(arguments.json.read_text())
    done = {row["case"] for row in rows}
    # Heads and defects mixed, so that a run that is stopped has seen some of all.
    for folder in sorted(arguments.cases.iterdir(), key=lambda path: zlib.crc32(path.name.encode())):
        if folder.name not in done and any(word in folder.name for word in arguments.only.split(",")):
            rows.append(run_case(folder, model, guidance, arguments.cache))
            short = {k: round(rows[-1][k]["missing"], 3) for k in ("none", "shipped", "oracle")}
            own = {k: rows[-1]["pictures"][k] and round(rows[-1]["pictures"][k], 2) for k in ("face_mm", "network_mm")}
            print(folder.name, short, own, f"{rows[-1]['seconds']:.2f} s", flush=True)
            if arguments.json:
                arguments.json.write_text(json.dumps(rows, indent=1))
    print(table(sorted(rows, key=lambda row: str(row["case"]))))


if __name__ == "__main__":
    main()
