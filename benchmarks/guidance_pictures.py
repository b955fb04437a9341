"""Draw what guidance sees and makes of scans: rendered, its regions, the hole, painted in, fitted, one picture a scan.

python benchmarks/guidance_pictures.py SCAN [SCAN ...] --out docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from facecom.completion import COMPLETION, CompletionState
from facecom.geometry.mesh import Mesh
from facecom.guidance.rendering import render
from facecom.model.linear.generator import LinearGenerator
from facecom.report.guidance_panels import enlarged, view_panels

TITLE_ROWS = 16


def draw(path: Path, model: LinearGenerator, out: Path, view_name: str) -> None:
    """Fit one scan, guide it, and write its picture."""
    state = CompletionState(source=path, model=model, guidance_source="shipped")
    state = COMPLETION.up_to("project").run(state)
    if state.guidance is None or state.projection is None or not state.guidance.found.views:
        raise SystemExit(f"{path}: no view shows a hole, so there is nothing to draw")
    found, result = state.guidance.found, state.projection
    view = next((v for v in found.views if v.name == view_name), found.views[0])
    after = render(Mesh(result.vertices, model.template.faces[3]), view.scan.camera)
    fitted = enlarged(np.repeat(after.shading[..., None], 3, axis=2))
    strip = [*view_panels(view), ("fitted", fitted)]
    side = len(fitted)
    sheet = Image.new("RGB", (side * len(strip), side + TITLE_ROWS), "white")
    for k, (title, picture) in enumerate(strip):
        sheet.paste(Image.fromarray(picture), (k * side, TITLE_ROWS))
        ImageDraw.Draw(sheet).text((k * side + 4, 2), title, fill="black")
    sheet.save(out / f"guidance_{path.parent.name}_{path.stem}.png", optimize=True)
    print(
        path,
        view.name,
        {k: round(v, 2) for k, v in found.observed_share.items()},
        state.warnings,
        f"{found.seconds:.2f} s",
    )


def main() -> None:
    """Draw each scan."""
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("scans", type=Path, nargs="+")
    p.add_argument("--view", default="front")
    p.add_argument("--out", type=Path, required=True)
    arguments = p.parse_args()
    model = LinearGenerator.load()
    for path in arguments.scans:
        draw(path, model, arguments.out, arguments.view)


if __name__ == "__main__":
    main()
