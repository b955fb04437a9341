"""Carry everybody whom networks are trained on onto the template, into one file.

python -m training.make_people --map MAP --ict ICT --flame FLAME --gnm GNM --makehuman MH --vitruvian VIT --out FILE.npz

MAP is what `training.build_template` writes beside the template.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from facecom.model.template import SHAPE_LEVEL, Template
from training.artist_modes import modes as artist_modes
from training.artist_modes import sources as artist_heads
from training.measured_heads import carried
from training.measured_heads import sources as measured_heads
from training.people import People, write
from training.train_linear import at_template, face_core, remove_rigid_motion


def everybody(options: argparse.Namespace, template: Template) -> Iterator[People]:
    """The populations that the options name."""
    count = template.counts[SHAPE_LEVEL]
    base = template.vertices[:count]
    with np.load(options.map, allow_pickle=False) as table, np.load(options.ict, allow_pickle=False) as ict:
        modes = at_template(ict["identity"], table["vertices_index"][:count], table["weights"][:count])
        yield People("ict", np.zeros_like(base), modes)
    for heads in measured_heads(options):
        found = carried(heads, template)
        yield People(found.name, found.mean - base, found.modes)
    for artists in artist_heads(options):
        name = artists.credit.split(" ")[0].lower()
        yield People(name, np.zeros_like(base), artist_modes(artists, template).astype(float))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--map", type=Path, required=True)
    parser.add_argument("--ict", type=Path, required=True)
    for name in ("--flame", "--gnm", "--makehuman", "--vitruvian"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    template = Template.load()
    base = template.vertices[: template.counts[SHAPE_LEVEL]]
    core = face_core(base)
    still = (People(p.name, p.offset, remove_rigid_motion(p.modes, base, core)) for p in everybody(options, template))
    write(still, options.out)


if __name__ == "__main__":
    main()
