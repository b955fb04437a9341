"""Build the shipped linear generator from the population on the template.

python -m training.train_linear --map out/template/ict_map.npz --ict DATA/ict_facekit/ict_facekit.npz --out DIR

With --flame DATA/flame2023_open/flame60.npz and --gnm DATA/gnm_head/gnm16.npz two further measured populations add
`--measured-share` of their variance to `--ict-share` of ICT's, and `--between-share` of the squared distance between
their means and ours. With --makehuman DATA/makehuman_cc0/makehuman_head.npz and --vitruvian DATA/vitruvian_cc0 the
heads that artists made add `--artist-share` of theirs. docs/population.md has the figures of each.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import numpy as np

from facecom.geometry.mesh import Floats
from facecom.model.face_region import FACE_RADIUS_MM, face_mask
from facecom.model.linear.generator import LinearGenerator
from facecom.model.population import PopulationSettings, PopulationSource, discrepancy_fields, taper_modes, widen
from facecom.model.template import FIT_LEVEL, SHAPE_LEVEL, Template
from training.artist_heads import Heads
from training.artist_modes import modes as artist_modes
from training.artist_modes import sources as artist_heads
from training.measured_heads import CarriedPopulation, carried
from training.measured_heads import sources as measured_heads

PATHS = ("map", "ict", "out", "flame", "gnm", "makehuman", "vitruvian")
EXPRESSION_ODD_SCALE = 0.4
"""Factor on what expressions do to one side alone."""
BLINK, JAW, FACE = 0.4, 0.04, 0.1
"""Standard deviations of the weights of expressions: closed eyes, the jaw, all others."""
CREDIT = "ICT-FaceKit (USC Institute for Creative Technologies), MIT licence: identity and expression modes"


def expression_sd(name: str) -> float:
    """Standard deviation of an expression's weight among scans of people at rest, eyes open or closed."""
    if "Look" in name or "Pupil" in name:
        return 0.0
    if "Blink" in name:
        return BLINK
    return JAW if "jaw" in name else FACE


def at_template(modes: np.ndarray, index: np.ndarray, weights: np.ndarray) -> Floats:
    """ICT modes (K, N, 3) at the template's vertices, (K, V, 3)."""
    return np.einsum("vj,kvjd->kvd", weights, modes[:, index].astype(float))


def remove_rigid_motion(modes: Floats, mean: Floats, core: np.ndarray) -> Floats:
    """Modes less the small rigid motion of the face core that each contains: pose is fitted on its own."""
    turns = [np.cross(axis, mean - mean[core].mean(0)) for axis in np.eye(3)]
    motions = np.stack([*turns, *(np.broadcast_to(axis, mean.shape) for axis in np.eye(3))])
    inner = motions[:, core].reshape(6, -1)
    share = np.linalg.solve(inner @ inner.T, inner @ modes[:, core].reshape(len(modes), -1).T)
    return modes - np.einsum("jk,jvd->kvd", share, motions)


def face_core(mean: Floats) -> np.ndarray:
    """Vertices of the face proper: what rigid motion is measured on."""
    return face_mask(mean, radius_mm=FACE_RADIUS_MM)


def ict_sources(arguments: argparse.Namespace, mean: Floats, core: np.ndarray) -> list[PopulationSource]:
    """Identity and expression modes of ICT-FaceKit at the vertices of the mean, and tapers of its shape."""
    with np.load(arguments.map, allow_pickle=False) as table:
        index, weights = table["vertices_index"][: len(mean)], table["weights"][: len(mean)]
    with np.load(arguments.ict, allow_pickle=False) as ict:
        identity = at_template(ict["identity"], index, weights)
        expression = at_template(ict["expression"], index, weights)
        names = [str(n) for n in ict["expression_names"]]
    scale = np.array([expression_sd(n) for n in names])
    expression = expression[scale > 0] * scale[scale > 0, None, None]
    tapers = taper_modes(mean, about=mean[core].mean(axis=0) * [0.0, 1.0, 1.0], sd=arguments.taper_sd)
    identity, expression, tapers = (remove_rigid_motion(m, mean, core) for m in (identity, expression, tapers))
    return [
        PopulationSource(
            identity * np.sqrt(arguments.ict_share), local_share=arguments.local_share, odd_scale=arguments.odd_scale
        ),
        PopulationSource(expression, local_share=0.0, odd_scale=EXPRESSION_ODD_SCALE),
        PopulationSource(tapers, local_share=0.0),
    ]


def artist_source(heads: Heads, arguments: argparse.Namespace, mean: Floats, core: np.ndarray) -> PopulationSource:
    """Modes of heads that artists made, `artist_share` of their variance."""
    modes = remove_rigid_motion(artist_modes(heads, Template.load()).astype(float), mean, core)
    return PopulationSource(modes * np.sqrt(arguments.artist_share), local_share=arguments.local_share, odd_scale=1.0)


def measured_sources(
    populations: Sequence[CarriedPopulation], arguments: argparse.Namespace, mean: Floats, core: np.ndarray
) -> list[PopulationSource]:
    """Modes of other measured populations, `measured_share` of their variance, and one mode from their mean to ours."""
    out = []
    for population in populations:
        modes = remove_rigid_motion(population.modes, mean, core) * np.sqrt(arguments.measured_share)
        apart = remove_rigid_motion(population.mean[None] - mean, mean, core) * np.sqrt(arguments.between_share)
        out.append(PopulationSource(modes, local_share=arguments.local_share, odd_scale=arguments.measured_odd_scale))
        out.append(PopulationSource(apart, local_share=0.0, odd_scale=0.0))
    return out


def build(arguments: argparse.Namespace) -> LinearGenerator:
    """The generator from ICT-FaceKit's modes and, where asked for, heads that artists made."""
    template = Template.load()
    count, coarse = template.counts[SHAPE_LEVEL], template.counts[FIT_LEVEL]
    mean = template.vertices[:count]
    core = face_core(mean)
    sources, credits = ict_sources(arguments, mean, core), [CREDIT]
    measured = [carried(heads, template) for heads in measured_heads(arguments)]
    sources += measured_sources(measured, arguments, mean, core)
    credits += [population.credit for population in measured]
    for heads in artist_heads(arguments):
        sources.append(artist_source(heads, arguments, mean, core))
        credits.append(heads.credit)
    settings = PopulationSettings(size_sd=arguments.size_sd)
    basis = widen(mean, template.mirror[:count], sources, rank=arguments.rank, coarse=coarse, settings=settings)
    fields, field_odd = discrepancy_fields(
        template.vertices[:coarse],
        template.mirror[:coarse],
        rank=arguments.fields,
        correlation_mm=arguments.correlation_mm,
        sigma_mm=arguments.sigma_mm,
        even_share=arguments.even_share,
    )
    modes = remove_rigid_motion(basis.modes, mean, core)
    description = {
        "sources": credits,
        "settings": {k: v for k, v in vars(arguments).items() if k not in PATHS} | asdict(settings),
    }
    return LinearGenerator(template, modes, basis.odd, fields, field_odd, description)


def main() -> None:
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--map", type=Path, required=True)
    p.add_argument("--ict", type=Path, required=True)
    p.add_argument("--out", type=Path, required=True)
    p.add_argument("--makehuman", type=Path)
    p.add_argument("--vitruvian", type=Path)
    p.add_argument("--flame", type=Path)
    p.add_argument("--gnm", type=Path)
    p.add_argument("--ict-share", type=float, default=1.0)
    p.add_argument("--measured-share", type=float, default=0.5)
    p.add_argument("--measured-odd-scale", type=float, default=0.4)
    p.add_argument("--between-share", type=float, default=0.0)
    p.add_argument("--artist-share", type=float, default=0.1)
    p.add_argument("--rank", type=int, default=320)
    p.add_argument("--fields", type=int, default=256)
    p.add_argument("--local-share", type=float, default=0.2)
    p.add_argument("--odd-scale", type=float, default=0.5)
    p.add_argument("--size-sd", type=float, default=0.05)
    p.add_argument("--taper-sd", type=float, default=0.02)
    p.add_argument("--correlation-mm", type=float, default=15.0)
    p.add_argument("--sigma-mm", type=float, default=0.9)
    p.add_argument("--even-share", type=float, default=0.8)
    build_arguments = p.parse_args()
    build(build_arguments).save(build_arguments.out)


if __name__ == "__main__":
    main()
