"""The coefficients of the probability that a triangle shows a defect, from scans whose defects are known.

python -m training.defect_probability features CASES FEATURES
python -m training.defect_probability fit FEATURES

CASES holds files HEAD__NAME.npz: `vertices` (V, 3) mm, `faces` (F, 3), `defect` (V,) whether a vertex is no skin, and
`depth_mm`, how far those lie from the true skin on average. `features` runs the job up to its search and writes what is
left to be told; a file that is there is not made again. `fit` prints the coefficients, how well probabilities hold, and
which share of defects and of healthy scans becomes a doubtful place, on groups of heads that were left out of the fit
in turn: the letters with which HEAD begins, and even and odd ones of a population with more than `LARGE_GROUP` heads.
"""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.sparse import csgraph
from scipy.spatial import cKDTree

from facecom.completion import COMPLETION, CompletionState
from facecom.completion.alignment import vertex_weights
from facecom.completion.defect_features import NAMES, defect_features
from facecom.completion.defects import search_scope
from facecom.fitting.defect_evidence import surface_evidence
from facecom.fitting.defect_settings import DefectProbabilitySettings
from facecom.geometry.laplacian import vertex_areas
from facecom.geometry.mesh import Bools, Floats, Mesh, unique_edges
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import FIT_LEVEL, Template

LARGE_GROUP = 8
BORDER_MM = (4.0, 6.0)
"""A vertex is in a defect when it lies this far from skin, and healthy this far from the defect; between, neither."""
RIDGE = 3.0
HELD = ("smoothness", "color")
"""Coefficients that are not fitted: made membranes are smoother than any that a scanner draws, and have no colours."""
LEAST_MISSED_MM2, LEAST_DEPTH_MM = 150.0, 0.5
"""Defects of less area that the search left, or nearer to the true skin, do not matter."""
BINS = (0.0, 0.01, 0.03, 0.1, 0.3, 0.6, 1.0)


@dataclass(frozen=True, eq=False)
class Case:
    """values : (V, 6) features; truth : (V,) 1 in a defect, 0 healthy, -1 neither; left : whether nothing was found."""

    name: str
    values: Floats
    truth: np.ndarray
    depth_mm: float
    left: bool

    @property
    def head(self) -> str:
        """The head that it was made from."""
        return self.name.split("__")[0]

    @property
    def weights(self) -> Floats:
        """Of each vertex: the shallower a defect, the less it matters."""
        return np.where(self.truth == 1, min(1.0, self.depth_mm), 1.0)


def write_features(path: Path, out: Path, model: LinearGenerator) -> None:
    """Run the job on a case up to the search for defects and write the features of what is left."""
    case = np.load(path)
    job = COMPLETION.without("load model").up_to("doubt swelling")
    source = Mesh(case["vertices"], case["faces"])
    done = job.run(CompletionState(source=source, unit="mm", model=model, missing="auto"))
    scan, fit, settings = done.scan, done.fit, done.settings
    evidence = surface_evidence(
        scan.for_fit,
        model,
        fit.code,
        pose=fit.pose,
        weights=vertex_weights(model.template, level=FIT_LEVEL, settings=settings),
        scope=search_scope(model.template, settings),
        settings=settings.defects,
    )
    features = defect_features(scan, model.template, evidence, pose=fit.pose)
    truth = _truth(fit.pose.inverse().apply(evidence.vertices), case["vertices"], case["defect"])
    np.savez(
        out / path.name,
        values=features.values,
        truth=np.where(features.shown, truth, -1),
        depth_mm=case["depth_mm"],
        left=done.found_mm2 == 0.0,
    )


def _truth(points: Floats, vertices: Floats, defect: Bools) -> np.ndarray:
    if not defect.any():
        return np.zeros(len(points), int)
    inside, outside = (cKDTree(vertices[mask]).query(points)[0] for mask in (defect, ~defect))
    return np.where((inside < outside) & (outside > BORDER_MM[0]), 1, np.where(inside > BORDER_MM[1], 0, -1))


def read_cases(folder: Path) -> list[Case]:
    """What `write_features` wrote."""
    out = []
    for path in sorted(folder.glob("*.npz")):
        stored = np.load(path)
        out.append(Case(path.stem, stored["values"], stored["truth"], float(stored["depth_mm"]), bool(stored["left"])))
    return out


def fitted(cases: Sequence[Case], start: DefectProbabilitySettings) -> DefectProbabilitySettings:
    """A ridge regression of the log odds (Newton's method); coefficients are not negative, and some are held."""
    told = [case.truth >= 0 for case in cases]
    values = np.concatenate([case.values[mask] for case, mask in zip(cases, told, strict=True)])
    is_defect = np.concatenate([case.truth[mask] == 1 for case, mask in zip(cases, told, strict=True)])
    weights = np.concatenate([case.weights[mask] for case, mask in zip(cases, told, strict=True)])
    held = values[:, [NAMES.index(name) for name in HELD]] @ [getattr(start, name) for name in HELD]
    free = [name for name in NAMES if name not in HELD]
    while True:
        columns = np.c_[values[:, [NAMES.index(name) for name in free]], np.ones(len(values))]
        found = _logistic(columns, is_defect.astype(float), weights, offset=held)
        if not free or found[:-1].min() >= 0:
            break
        del free[int(np.argmin(found[:-1]))]
    named = dict.fromkeys(set(NAMES) - set(HELD), 0.0) | dict(zip(free, found[:-1].tolist(), strict=True))
    return replace(start, **named, intercept=float(found[-1]))


def _logistic(columns: Floats, wanted: Floats, weights: Floats, *, offset: Floats) -> Floats:
    found, ridge = np.zeros(columns.shape[1]), np.r_[np.full(columns.shape[1] - 1, RIDGE), 1e-6]
    for _ in range(60):
        share = 1.0 / (1.0 + np.exp(-np.clip(columns @ found + offset, -30.0, 30.0)))
        slope = columns.T @ (weights * (wanted - share)) - ridge * found
        curvature = (columns * (weights * share * (1.0 - share))[:, None]).T @ columns + np.diag(ridge)
        step = np.linalg.solve(curvature, slope)
        found = found + step
        if np.abs(step).max() < 1e-6:
            break
    return found


def probability(case: Case, settings: DefectProbabilitySettings) -> Floats:
    """Of each vertex that a case tells, 0 elsewhere."""
    logit = case.values @ [getattr(settings, name) for name in NAMES] + settings.intercept
    shown = (case.truth >= 0) | case.values.any(axis=1)
    return np.where(shown, 1.0 / (1.0 + np.exp(-logit)), 0.0)


def left_out(cases: Sequence[Case], start: DefectProbabilitySettings) -> dict[str, Floats]:
    """Name -> probabilities by a fit that did not see the group of heads of a case."""
    groups, out = _groups(cases), {}
    for group in sorted(set(groups.values())):
        settings = fitted([case for case in cases if groups[case.name] != group], start)
        out |= {case.name: probability(case, settings) for case in cases if groups[case.name] == group}
    return out


def _groups(cases: Sequence[Case]) -> dict[str, str]:
    population = {case.head: re.sub(r"\d+$", "", case.head) for case in cases}
    counts = {name: sum(1 for one in population.values() if one == name) for name in population.values()}

    def group(head: str) -> str:
        name, number = population[head], re.search(r"\d+$", head)
        return f"{name} {int(number[0]) % 2}" if number and counts[name] > LARGE_GROUP else name

    return {case.name: group(case.head) for case in cases}


def tables(cases: Sequence[Case], found: dict[str, Floats], template: Template) -> str:
    """How well probabilities hold, and what becomes a doubtful place at several thresholds."""
    told = np.concatenate([found[case.name][case.truth >= 0] for case in cases])
    is_defect = np.concatenate([case.truth[case.truth >= 0] == 1 for case in cases])
    lines = ["probability  vertices  mean  share in a defect"]
    for low, high in zip(BINS[:-1], BINS[1:], strict=True):
        rows = (told >= low) & (told < high)
        lines.append(f"{low:g} to {high:g}  {rows.sum()}  {told[rows].mean():.3f}  {is_defect[rows].mean():.3f}")
    lines.append("doubtful from  least mm2  defects that the search left  scans without one")
    for threshold in (0.1, 0.15, 0.2, 0.3):
        missed, healthy = _largest(cases, found, template, threshold)
        lines += [
            f"{threshold:g}  {least}  {np.mean(missed > least):.2f} of {len(missed)}  "
            f"{np.mean(healthy > least):.3f} of {len(healthy)}"
            for least in (60, 100, 120, 150, 200)
        ]
    return "\n".join(lines)


def _largest(
    cases: Sequence[Case], found: dict[str, Floats], template: Template, threshold: float
) -> tuple[Floats, Floats]:
    """Area of the largest place over the threshold: on defects that the search left, and on scans without one, mm2."""
    area = vertex_areas(template.mesh(FIT_LEVEL).vertices, template.faces[FIT_LEVEL])
    edges = unique_edges(template.faces[FIT_LEVEL])[0]
    missed, healthy = [], []
    for case in cases:
        mask, defect = found[case.name] > threshold, case.truth == 1
        inside = edges[mask[edges].all(axis=1)]
        graph = sp.coo_matrix((np.ones(len(inside)), (inside[:, 0], inside[:, 1])), shape=(len(mask),) * 2)
        label = csgraph.connected_components(graph, directed=False)[1]
        sizes = np.bincount(label, area * mask)
        if case.depth_mm == 0.0:
            healthy.append(sizes.max())
        elif case.left and case.depth_mm > LEAST_DEPTH_MM and area @ defect > LEAST_MISSED_MM2:
            missed.append(np.bincount(label, area * mask * defect, len(sizes)).max())
    return np.array(missed), np.array(healthy)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    verbs = parser.add_subparsers(dest="verb", required=True)
    one = verbs.add_parser("features")
    one.add_argument("cases", type=Path)
    one.add_argument("out", type=Path)
    verbs.add_parser("fit").add_argument("out", type=Path)
    options = parser.parse_args()
    model = LinearGenerator.load()
    if options.verb == "features":
        options.out.mkdir(parents=True, exist_ok=True)
        for path in sorted(options.cases.glob("*.npz")):
            if not (options.out / path.name).exists():
                write_features(path, options.out, model)
                print(path.stem)
        return
    cases, start = read_cases(options.out), DefectProbabilitySettings()
    print(fitted(cases, start))
    print(tables(cases, left_out(cases, start), model.template))


if __name__ == "__main__":
    main()
