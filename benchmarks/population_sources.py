"""Who the prior has seen: the error in a hole for faces of one source under a model of the others.

python -m benchmarks.population_sources --map MAP --ict ICT --flame FLAME --gnm GNM [--makehuman MH --vitruvian VIT]
    --mixture ict --mixture ict=0.7,flame=0.5,gnm=0.5 ... [--log FILE]

Each mixture is built as `training.train_linear` builds the population, on level 1. For each source and defect it prints
the root mean square of the error along the normal in mm, over the missing vertices and over the source's people:
observed is the rest of the face with 0.5 mm of noise, correspondence is told, the pose is not. All of it is linear, so
that the expectation over the source's Gaussian is exact, its mean's distance from the template left out. A source that
is part of the mixture is put in brackets. With --log each row is a line of JSON, and what the file holds is not
computed again.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import linalg

from facecom.geometry.mesh import Bools, Floats, vertex_normals
from facecom.model.face_region import FACE_RADIUS_MM, face_mask
from facecom.model.population import PopulationSettings, PopulationSource, discrepancy_fields, taper_modes, widen
from facecom.model.template import FIT_LEVEL, Template
from training.make_people import everybody
from training.train_linear import remove_rigid_motion

NOISE_MM, FREE_MM = 0.5, 50.0
"""Standard deviation of an observed vertex, and of the motion of the head."""
DEFECTS = {
    "nose": ((0.0, 8.0, -8.0), 30.0),
    "orbit": ((32.0, 38.0, -25.0), 27.0),
    "cheek": ((34.0, -22.0, -25.0), 32.0),
    "mouth": ((0.0, -32.0, -12.0), 30.0),
    "chin": ((0.0, -66.0, -22.0), 34.0),
    "brow": ((0.0, 70.0, -22.0), 38.0),
}
"""Centre from the tip of the nose, and radius, mm; one side beyond `HALF_X_MM` is the seventh."""
HALF_X_MM = 3.0


@dataclass(frozen=True, eq=False)
class Face:
    """The face proper of the template on level 1.

    mean, normals : (V, 3); mirror, kept : (V,) int; defects : masks (V,); free : (V, R), along the normals, what every
    model has beside its modes: discrepancy and motion
    """

    mean: Floats
    normals: Floats
    mirror: np.ndarray
    kept: np.ndarray
    defects: dict[str, Bools]
    free: Floats


def face_proper(template: Template) -> Face:
    """What lies within the face's radius on both sides."""
    count = template.counts[FIT_LEVEL]
    mean, mirror = template.vertices[:count], template.mirror[:count]
    inside = face_mask(mean, radius_mm=FACE_RADIUS_MM)
    kept = np.flatnonzero(inside & inside[mirror])
    place = np.full(count, -1)
    place[kept] = np.arange(len(kept))
    normals = vertex_normals(mean, template.faces[FIT_LEVEL])[kept]
    mean = mean[kept]
    from_tip = mean - mean[mean[:, 2].argmax()]
    defects = {name: np.linalg.norm(from_tip - centre, axis=1) < radius for name, (centre, radius) in DEFECTS.items()}
    defects["half"] = from_tip[:, 0] > HALF_X_MM
    both = place[mirror[kept]]
    return Face(mean, normals, both, kept, defects, _free(mean, normals, both))


def _free(mean: Floats, normals: Floats, mirror: np.ndarray) -> Floats:
    fields, _ = discrepancy_fields(mean, mirror, rank=256, correlation_mm=15.0, sigma_mm=0.9, even_share=0.8)
    turns = [np.cross(axis, mean) for axis in np.eye(3)]
    motions = np.stack([*turns, *(np.broadcast_to(axis, mean.shape) for axis in np.eye(3))])
    motions *= FREE_MM / np.linalg.norm(motions, axis=2).mean(axis=1)[:, None, None]
    return np.concatenate([fields.T, np.einsum("kvd,vd->vk", motions, normals)], axis=1)


def mixture_modes(face: Face, modes: dict[str, Floats], shares: dict[str, float], *, size_sd: float) -> Floats:
    """Leading modes (M, V, 3) of a mixture, widened as the shipped population is."""
    tapers = taper_modes(face.mean, about=face.mean.mean(axis=0) * [0.0, 1.0, 1.0], sd=0.02)
    everything = np.ones(len(face.mean), bool)
    sources = [PopulationSource(remove_rigid_motion(tapers, face.mean, everything), local_share=0.0)]
    for name, share in shares.items():
        sources.append(PopulationSource(modes[name] * np.sqrt(share), odd_scale=0.5))
    settings = PopulationSettings(size_sd=size_sd)
    return widen(face.mean, face.mirror, sources, rank=320, coarse=len(face.mean), settings=settings).modes


def hole_errors(face: Face, model: Floats, people: Floats) -> dict[str, float]:
    """Root mean square error in mm along the normal, by defect, for people's modes (K, V, 3) under a model's."""
    modes, truth = (np.einsum("kvd,vd->vk", each, face.normals) for each in (model, people))
    columns = np.concatenate([modes, face.free], axis=1)
    out = {}
    for name, missing in face.defects.items():
        seen = columns[~missing]
        precision = seen.T @ seen / NOISE_MM**2 + np.identity(seen.shape[1])
        codes = linalg.solve(precision, seen.T @ truth[~missing] / NOISE_MM**2, assume_a="pos")
        error = truth[missing] - columns[missing] @ codes
        out[name] = float(np.sqrt((error**2).sum(axis=1).mean()))
    return out


def parsed(mixture: str) -> dict[str, float]:
    """Shares by source of a mixture such as "ict=0.7,flame"."""
    pairs = (part.partition("=") for part in mixture.split(","))
    return {name: float(share or 1.0) for name, _, share in pairs}


def rows(options: argparse.Namespace) -> Iterator[dict]:
    """A row for each mixture and source, from the log where it is there."""
    known = {}
    if options.log and options.log.is_file():
        stored = map(json.loads, options.log.read_text().splitlines())
        known = {(row["mixture"], row["size_sd"], row["people"]): row for row in stored}
    template = Template.load()
    face = face_proper(template)
    everything = np.ones(len(face.mean), bool)
    modes = {
        people.name: remove_rigid_motion(people.modes[:, face.kept], face.mean, everything)
        for people in everybody(options, template)
    }
    for mixture in options.mixture:
        model = None
        for people in modes:
            key = (mixture, options.size_sd, people)
            if key not in known:
                if model is None:
                    model = mixture_modes(face, modes, parsed(mixture), size_sd=options.size_sd)
                known[key] = dict(zip(("mixture", "size_sd", "people"), key, strict=True))
                known[key] |= hole_errors(face, model, modes[people])
                if options.log:
                    with options.log.open("a") as file:
                        file.write(json.dumps(known[key]) + "\n")
            yield known[key]


def table(found: Iterator[dict]) -> Iterator[str]:
    """Lines of Markdown."""
    names = [*DEFECTS, "half"]
    yield "| mixture | people | " + " | ".join(names) + " |"
    yield "| --- | --- |" + " ---: |" * len(names)
    for row in found:
        people = f"({row['people']})" if row["people"] in parsed(row["mixture"]) else row["people"]
        yield f"| {row['mixture']} | {people} | " + " | ".join(f"{row[name]:.2f}" for name in names) + " |"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", type=Path, required=True)
    parser.add_argument("--ict", type=Path, required=True)
    for name in ("--flame", "--gnm", "--makehuman", "--vitruvian", "--log"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--mixture", action="append", required=True, help="NAME[=SHARE],..., several times")
    parser.add_argument("--size-sd", type=float, default=0.05)
    for line in table(rows(parser.parse_args())):
        print(line, flush=True)


if __name__ == "__main__":
    main()
