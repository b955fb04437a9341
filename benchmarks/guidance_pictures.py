"""Draw what guidance sees and makes of scans: render, parse, mask, inpainted, fitted, one picture a scan.

python benchmarks/guidance_pictures.py SCAN [SCAN ...] --out docs/images
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from guidance import LEVEL, PROPER_MM, updated
from PIL import Image, ImageDraw

from facecom import completion as job
from facecom.geometry.mesh import Floats, Mesh, unit
from facecom.guidance.guide import GuidanceSettings, View, guide
from facecom.guidance.render import AMBIENT, HEADLIGHT, render
from facecom.interop import as_mesh
from facecom.model.linear import LinearGenerator

SIDE = 240
COLOURS = np.array(
    [[40, 40, 40], [224, 172, 140], [235, 120, 60], [60, 120, 220], [90, 200, 230], [40, 90, 40], [120, 190, 90],
     [170, 90, 170], [220, 160, 220], [120, 20, 40], [210, 50, 80], [240, 110, 130], [150, 130, 110]]
)  # fmt: skip


def lit(normals: Floats, shown: np.ndarray, axes: Floats) -> Floats:
    """Grey shading of a normal image."""
    cosine = np.clip(normals @ (unit(np.array(HEADLIGHT)) @ axes), 0, 1)
    return np.where(shown, AMBIENT + (1 - AMBIENT) * cosine, 0.0)


def panels(view: View, fitted: Floats) -> list[np.ndarray]:
    """The five pictures of a view as bytes (H, W, 3)."""
    axes, mask = view.scan.camera.axes, view.filled.mask
    grey = np.repeat(view.scan.shading[..., None], 3, axis=2)
    parse = np.zeros((*mask.shape, 3)) if view.parse is None else COLOURS[view.parse.labels % len(COLOURS)] / 255
    marked = grey.copy()
    marked[mask] = [1.0, 0.35, 0.2]
    filled = np.repeat(lit(view.filled.normals, view.scan.mask | mask, axes)[..., None], 3, axis=2)
    pictures = (grey, parse, marked, filled, np.repeat(fitted[..., None], 3, axis=2))
    return [np.round(255 * np.clip(p, 0, 1)).astype(np.uint8) for p in pictures]


def draw(path: Path, model: LinearGenerator, out: Path, view_name: str) -> None:
    """Fit one scan, guide it, and write its picture."""
    settings = job.CompletionSettings()
    scan = job.prepare_scan(as_mesh(path), unit="auto", settings=settings)
    start, scan = job.find_face(scan, model, {}, settings)
    fit = job.fit_face(scan, model, start, {}, settings)
    face = Mesh(model.decode(fit.code, level=LEVEL), model.template.faces[LEVEL])
    mesh = scan.for_fit.mesh
    proper = job.face_proper(model.template, level=LEVEL, radius_mm=PROPER_MM)
    found = guide(mesh.with_vertices(fit.pose.apply(mesh.vertices)), face, proper=proper, settings=GuidanceSettings())
    if not found.views:
        raise SystemExit(f"{path}: no view shows a hole, so there is nothing to draw")
    view = next((v for v in found.views if v.name == view_name), found.views[0])
    result = job.project_face(scan, model, updated(fit, model, found.observations), settings)
    after = render(Mesh(result.vertices, model.template.faces[3]), view.scan.camera)
    strip = [Image.fromarray(p).resize((SIDE, SIDE), Image.Resampling.BICUBIC) for p in panels(view, after.shading)]
    sheet = Image.new("RGB", (SIDE * len(strip), SIDE + 16), "white")
    for k, (picture, title) in enumerate(zip(strip, ("render", "parse", "mask", "inpainted", "fitted"), strict=True)):
        sheet.paste(picture, (k * SIDE, 16))
        ImageDraw.Draw(sheet).text((k * SIDE + 4, 2), title, fill="black")
    sheet.save(out / f"guidance_{path.parent.name}_{path.stem}.png", optimize=True)
    print(
        path, view.name, {k: round(v, 2) for k, v in found.seen_share.items()}, found.warnings, f"{found.seconds:.2f} s"
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
