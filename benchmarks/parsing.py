"""How well the face parser names the pixels of renders of real heads: IoU by class, and left mistaken for right.

    python benchmarks/parsing.py HEAD [HEAD ...] [--parser FOLDER] [--json FILE]

A head is a file in mm, or FILE@UNIT with its unit in mm. The heads are whole. Each is registered with the template,
whose regions are the truth: a pixel has that of the registered template's nearest vertex, none where that surface is
far. The parser sees renders from the named views, of
the whole head and of the head without its nose or an eye; there it is to say what the hole would show.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np

from facecom.completion import COMPLETION, CompletionState, known
from facecom.evaluation.defects import defect_mask
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Bools, Floats, Ints, Mesh
from facecom.guidance.camera import Camera, view_cameras
from facecom.guidance.guide import VIEW_HALF_MM
from facecom.guidance.parsing import BACKGROUND, FaceParser
from facecom.guidance.rendering import Scene, render
from facecom.io.files import read_scan
from facecom.model.linear.generator import LinearGenerator
from facecom.model.template import Template

FINEST_LEVEL = 3
FAR_MM = 4.0
DEFECTS = (None, "nose", "orbit")


def registered_head(name: str, model: LinearGenerator) -> tuple[Mesh, Surface]:
    """The head in the face frame, and the finest template registered with it."""
    path, _, mm_per_unit = name.partition("@")
    raw = read_scan(Path(path))
    in_mm = Mesh(raw.vertices * float(mm_per_unit or 1.0), raw.faces)
    state = CompletionState(raw=in_mm, unit="mm", model=model)
    state = COMPLETION.starting_at("clean").up_to("project").run(state)
    head, projected = known(state.in_face, "enter face frame").coarse, known(state.projection, "project")
    return head, Surface(Mesh(projected.vertices, model.template.faces[FINEST_LEVEL]))


def true_labels(head: Scene, registered: Surface, camera: Camera, region: Ints) -> tuple[Ints, Bools]:
    """What each pixel shows, 0 background, else the region plus one; and where the head shows, (H, W) both."""
    picture = render(head, camera)
    labels = np.zeros(picture.mask.shape, np.int64)
    found = registered.closest(camera.unproject(picture.depth)[picture.mask])
    nearest = registered.mesh.faces[found.faces, found.barycentric.argmax(1)]
    labels[picture.mask] = np.where(found.distance < FAR_MM, region[nearest] + 1, 0)
    return labels, picture.mask


def confusion(head: Mesh, registered: Surface, parser: FaceParser, template: Template) -> dict[str, Floats]:
    """Pixels by true and found class, for the whole head and for what the damaged heads lack."""
    names = (BACKGROUND, *template.region_names)
    count, scene = len(names), Scene(head)
    total = {"whole": np.zeros((count, count)), "damaged": np.zeros((count, count)), "holes": np.zeros((count, count))}
    order = np.array([names.index(n) if n in names else 0 for n in parser.names])
    for camera in view_cameras(half_mm=VIEW_HALF_MM, size=parser.size).values():
        true, mask = true_labels(scene, registered, camera, template.region)
        for defect in DEFECTS:
            seen = render(scene, camera)
            if defect:
                gone = defect_mask(head.vertices, defect, seed=0)
                seen = render(head.submesh(~gone[head.faces].any(axis=1))[0], camera)
            found = order[parser.parse(np.clip(seen.rgb(), 0, 1)).labels]
            pairs = np.bincount(count * true.ravel() + found.ravel(), minlength=count**2).reshape(count, count)
            total["damaged" if defect else "whole"] += pairs
            hole = mask & ~seen.mask
            total["holes"] += np.bincount(count * true[hole] + found[hole], minlength=count**2).reshape(count, count)
    return total


def intersection_over_union(table: Floats) -> Floats:
    """IoU of each class; NaN for classes that neither occur nor are found."""
    union = table.sum(0) + table.sum(1) - np.diag(table)
    return np.where(union > 0, np.diag(table) / np.maximum(union, 1), np.nan)


def swapped(table: Floats, names: tuple[str, ...]) -> float:
    """Share of the pixels found on a left or right part that are called the same part of the other side."""
    right = other = 0.0
    for part in ("eye", "brow", "ear"):
        a, b = names.index(f"l_{part}"), names.index(f"r_{part}")
        right += table[a, a] + table[b, b]
        other += table[a, b] + table[b, a]
    return float(other / max(right + other, 1.0))


def main() -> None:
    """Register the heads, parse their renders and print the table."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("heads", nargs="+", metavar="HEAD")
    p.add_argument("--parser", type=Path, help="folder of a parser; the shipped one unless given")
    p.add_argument("--json", type=Path)
    arguments = p.parse_args()
    model, parser = LinearGenerator.load(), FaceParser.from_pretrained(arguments.parser)
    names = (BACKGROUND, *model.template.region_names)
    sums: dict[str, Floats] = {}
    for name in arguments.heads:
        for kind, table in confusion(*registered_head(name, model), parser, model.template).items():
            sums[kind] = sums.get(kind, 0) + table
        print(Path(name).stem, flush=True)
        if arguments.json:
            arguments.json.write_text(json.dumps({"names": names} | {k: v.tolist() for k, v in sums.items()}))
    print("| class | " + " | ".join(sums) + " |\n| --- |" + " --- |" * len(sums))
    scores = {kind: intersection_over_union(table) for kind, table in sums.items()}
    for k, name in enumerate(names):
        print(f"| {name} | " + " | ".join(f"{scores[kind][k]:.2f}" for kind in sums) + " |")
    print("| **mean** | " + " | ".join(f"**{np.nanmean(scores[kind]):.2f}**" for kind in sums) + " |")
    print("| left for right | " + " | ".join(f"{swapped(table, names):.1%}" for table in sums.values()) + " |")


if __name__ == "__main__":
    main()
