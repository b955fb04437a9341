"""How much the surface beyond the face proper should count in a PCA, chosen without the head that judges.

For each head the share is taken that serves the other registered heads best on what is seen; its errors, seen and in
the holes of its cases, are then counted with that share. What so comes out owes nothing to having been chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from benchmarks.generator_holes import GROUPS, group_of
from benchmarks.generator_kinds import Entry, linear_entry
from facecom.model.face_region import face_weights
from facecom.model.template import Template

SHARES = (1.0, 0.3, 0.1, 0.05, 0.02)
Errors = Mapping[str, float]


def weighted_entries(faces: np.ndarray, template: Template, folder: Path, *, code_size: int) -> list[Entry]:
    """A PCA for each share, made from the same faces."""
    return [
        linear_entry(
            f"outer {share:g}",
            faces,
            template,
            folder / f"outer_{share:g}",
            code_size,
            weights=face_weights(template, outer=share),
        )
        for share in SHARES
    ]


def chosen_without(head: str, seen: Mapping[str, Errors]) -> str:
    """Name of what has the least mean error on all heads but one, each group of heads counting alike."""

    def cost(errors: Errors) -> float:
        others = [(group_of(name), value) for name, value in errors.items() if name != head]
        groups = {group for group, _ in others}
        return float(np.mean([np.mean([v for g, v in others if g == group]) for group in groups]))

    return min(seen, key=lambda name: cost(seen[name]))


def weights_markdown(seen: Mapping[str, Errors], holes: Mapping[str, Errors]) -> str:
    """One row for each share, and one in which every head is judged with the share that the others chose."""
    heads = list(next(iter(seen.values())))
    cases = list(next(iter(holes.values())))
    rows = {name: (dict(seen[name]), dict(holes[name])) for name in seen}
    of_case = {case: case.split("_")[0] for case in cases}
    chosen = {head: chosen_without(head, seen) for head in {*heads, *of_case.values()}}
    rows["each head with the share that the others chose"] = (
        {head: seen[chosen[head]][head] for head in heads},
        {case: holes[chosen[of_case[case]]][case] for case in cases},
    )
    titles = [f"{group} {what}" for what in ("seen", "hole") for group in (*GROUPS, "all")]
    lines = ["| share beyond the face | " + " | ".join(titles) + " |", "| --- " * (len(titles) + 1) + "|"]
    for name, (of_heads, of_cases) in rows.items():
        cells = [f"{value:.3f}" for errors in (of_heads, of_cases) for value in _means(errors)]
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    said = ", ".join(f"{head}: {chosen[head]}" for head in sorted(chosen))
    return "\n".join([*lines, "", f"Chosen by the others: {said}"])


def _means(errors: Errors) -> list[float]:
    groups = [np.mean([v for name, v in errors.items() if group_of(name) == group]) for group in GROUPS]
    return [float(value) for value in [*groups, np.mean(list(errors.values()))]]
