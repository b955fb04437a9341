"""What was chosen on the dev heads, chosen again without one head and scored on that one: prints three tables.

    python benchmarks/leave_one_head_out.py FOLDER [--defects nose orbit cheek half] [--log FILE]

FOLDER is one that `benchmarks.headline` cut and ran. Of each case only the fit is done, from the pose that the
search found, once
with the shipped settings and once with each setting that the log of the fit names, one change at a time; `missing` is
the distance of the true removed surface to the fitted face, before it is projected onto the scan. The scale of sigma is
chosen on the completed faces in FOLDER/results. With --log each fit is a line of JSON in that file, and what the file
holds already is not run again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from calibration import BANDS, errors_and_sigma
from numpy.typing import NDArray
from scipy.stats import norm

from facecom.completion import CompletionSettings, CompletionState, Scan, known
from facecom.completion.alignment import align_scan, prepare_scan
from facecom.completion.stages import fit
from facecom.fitting.pose_hypotheses import PoseHypothesis
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Mesh
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.scan.units import MM_PER_UNIT

SHIPPED = "shipped"
SCALES = tuple(np.round(np.arange(0.45, 1.81, 0.05), 2).tolist())
Row = dict[str, Any]


@dataclass(frozen=True)
class Choice:
    """One change of the shipped settings; the factors are on standard deviations of the model's prior."""

    name: str
    modes: float = 1.0
    fields: float = 1.0
    used_modes: float = 1.0
    noise: float = 1.0
    robust: float = 1.0
    reach: float = 1.0

    def model(self, shipped: LinearGenerator) -> LinearGenerator:
        """The model with wider or narrower prior, or with the last of its modes left out."""
        if self.modes == self.fields == self.used_modes == 1.0:
            return shipped
        count = round(self.used_modes * shipped.identity_size)
        return replace(
            shipped,
            modes=shipped.modes[:count] * np.float32(self.modes),
            mode_odd=shipped.mode_odd[:count],
            fields=shipped.fields * np.float32(self.fields),
        )

    def settings(self, shipped: CompletionSettings) -> CompletionSettings:
        """The settings with the last two stages of the fit changed."""
        stages = [
            replace(
                stage,
                noise_mm=stage.noise_mm * self.noise,
                robust_mm=stage.robust_mm * self.robust,
                reach_mm=stage.reach_mm * self.reach,
            )
            for stage in shipped.fit.stages[-2:]
        ]
        # a narrower prior makes every face more unusual: acceptance is not what is asked here
        acceptance = replace(shipped.acceptance, most_fitted_prior=np.inf, most_usual_prior=np.inf)
        fit_settings = replace(shipped.fit, stages=(*shipped.fit.stages[:-2], *stages))
        return replace(shipped, fit=fit_settings, acceptance=acceptance)


CHOICES = (
    Choice(SHIPPED),
    Choice("modes x 0.75", modes=0.75), Choice("modes x 1.33", modes=1.33),
    Choice("discrepancy x 0.67", fields=0.67), Choice("discrepancy x 1.5", fields=1.5),
    Choice("no discrepancy", fields=1e-3), Choice("half of the modes", used_modes=0.5),
    Choice("noise x 0.6", noise=0.6), Choice("noise x 1.6", noise=1.6),
    Choice("robust x 0.6", robust=0.6), Choice("robust x 2", robust=2.0, reach=1.5),
)  # fmt: skip


def missing_points(case: Path, mm_per_unit: float, *, count: int = 3000) -> NDArray:
    """Points of the true removed surface in the scan's frame, mm."""
    with np.load(case / "truth.npz") as truth:
        points = truth["missing"] * mm_per_unit
    return points[np.random.default_rng(0).permutation(len(points))[:count]]


def error(
    scan: Scan, model: LinearGenerator, start: PoseHypothesis, truth: NDArray, settings: CompletionSettings
) -> float:
    """Mean distance of the truth to the fitted face, mm."""
    state = CompletionState(scan=scan, model=model, hypothesis=start, settings=settings)
    fitted = known(fit(state).fit, "fit")
    face = Mesh(model.decode(fitted.code, level=2), model.template.faces[2])
    return float(Surface(face).closest(fitted.pose.apply(truth)).distance.mean())


def fits(folder: Path, defects: list[str], log: Path | None) -> Iterator[Row]:
    """A row for each case and choice."""
    lines = log.read_text(encoding="utf-8").splitlines() if log and log.exists() else []
    known = {(r["case"], r["choice"]): r for r in map(json.loads, lines)}
    shipped, settings = LinearGenerator.load(), CompletionSettings()
    ready = [(choice, choice.model(shipped), choice.settings(settings)) for choice in CHOICES]
    for case in sorted((folder / "cases").iterdir()):
        meta = json.loads((case / "meta.json").read_text())
        if meta["defect"] not in defects:
            continue
        left = [each for each in ready if (case.name, each[0].name) not in known]
        if left:
            scan = prepare_scan(read_scan(case / "scan.ply"), unit="auto", settings=settings)
            start, scan = align_scan(scan, shipped, {}, settings)
            truth = missing_points(case, MM_PER_UNIT[meta["unit"]])
        for choice, model, own in left:
            row = {"case": case.name, "head": meta["head"], "defect": meta["defect"], "choice": choice.name}
            row["missing"] = error(scan, model, start, truth, own)
            known[case.name, choice.name] = row
            if log:
                with log.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
        yield from (known[case.name, choice.name] for choice in CHOICES)


def by_head(rows: list[Row], choice: str) -> dict[str, float]:
    """Mean missing mm of each head; its cases count alike."""
    heads = dict.fromkeys(r["head"] for r in rows)
    return {h: float(np.mean([r["missing"] for r in rows if (r["head"], r["choice"]) == (h, choice)])) for h in heads}


def best_without(scores: dict[str, dict[str, float]], head: str) -> str:
    """The choice with the least mean over all other heads, which count alike; scores: choice -> head -> mm."""
    return min(scores, key=lambda name: float(np.mean([v for h, v in scores[name].items() if h != head])))


def bands(pieces: list[tuple[NDArray, NDArray]], factor: float, measured_mm: float) -> list[float]:
    """Share of missing surface within each band when what is made up is `factor` times as unsure; cases count alike."""
    shares = []
    for errors, sigma in pieces:
        made = factor * np.sqrt(np.maximum(sigma**2 - measured_mm**2, 0.0))
        shares.append([np.mean(errors < norm.ppf(0.5 + b / 2) * np.hypot(made, measured_mm)) for b in BANDS])
    return np.mean(shares, axis=0).tolist()


def best_scale(pieces: list[list[tuple[NDArray, NDArray]]], shipped: float, measured_mm: float) -> float:
    """The scale whose bands come nearest to what they state, the heads counting alike."""

    def off(scale: float) -> float:
        found = np.mean([bands(own, scale / shipped, measured_mm) for own in pieces], axis=0)
        return float(np.abs(found - BANDS).sum())

    return min(SCALES, key=off)


def setting_tables(rows: list[Row]) -> Iterator[str]:
    """How much each choice matters, and what a choice without a head costs that head."""
    scores = {choice.name: by_head(rows, choice.name) for choice in CHOICES}
    heads = list(scores[SHIPPED])
    yield f"| choice | {' | '.join(heads)} | all |\n| --- |{' ---: |' * (len(heads) + 1)}"
    for name, own in scores.items():
        yield f"| {name} | {' | '.join(f'{own[h]:.3f}' for h in heads)} | {np.mean(list(own.values())):.3f} |"
    yield "\n| left out | chosen on the others | missing mm with it | as shipped |\n| --- | --- | ---: | ---: |"
    for head in heads:
        name = best_without(scores, head)
        yield f"| {head} | {name} | {scores[name][head]:.3f} | {scores[SHIPPED][head]:.3f} |"


def scale_table(folder: Path) -> Iterator[str]:
    """The scale of sigma chosen without each head, and the bands on that head."""
    settings = CompletionSettings().posterior
    heads: dict[str, list[tuple[NDArray, NDArray]]] = {}
    for case in sorted((folder / "cases").iterdir()):
        if (folder / "results" / case.name / "face.ply").exists():
            errors, sigma, meta = errors_and_sigma(case, folder / "results" / case.name)
            some = np.random.default_rng(0).permutation(len(errors))[:3000]
            heads.setdefault(meta["head"], []).append((errors[some], sigma[some]))
    yield f"\n| left out | scale chosen on the others | 50 % / 90 % with it | as shipped, {settings.scale:g} |"
    yield "| --- | ---: | ---: | ---: |"
    for head, own in heads.items():
        others = [pieces for other, pieces in heads.items() if other != head]
        scale = best_scale(others, settings.scale, settings.observed_mm)
        text = [
            " / ".join(f"{share:.0%}" for share in bands(own, value / settings.scale, settings.observed_mm))
            for value in (scale, settings.scale)
        ]
        yield f"| {head} | {scale:g} | {text[0]} | {text[1]} |"


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--defects", nargs="+", default=["nose", "orbit", "cheek", "half"])
    parser.add_argument("--log", type=Path, help="file for one line of JSON for each fit")
    options = parser.parse_args()
    tables: list[Callable[[], Iterator[str]]] = [
        lambda: setting_tables(list(fits(options.folder, options.defects, options.log))),
        lambda: scale_table(options.folder),
    ]
    for table in tables:
        print("\n".join(table()), flush=True)


if __name__ == "__main__":
    main()
