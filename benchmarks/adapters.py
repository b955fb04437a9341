"""Every adapter once, from a file as its owner has it to a completed scan.

python -m benchmarks.adapters ICT.npz CASE --out DIR [--facecom FOLDER] [--modes 100]

ICT-FaceKit's modes are written in each of the forms that are read (its npz, the folder of a checkout in centimetres,
mean + basis + sigma, FLAME's names in metres as npz and as safetensors), read again, carried onto the template, and
complete the scan of a case of the dev suite. FOLDER holds a trained decoder of FaceCom's architecture, as
benchmarks/generators.py leaves it; it is written as FaceCom's own three files and converted from those.
Printed: the form, code entries, vertices, and the mean error in mm of the missing surface.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

from facecom.completion import complete
from facecom.geometry.closest_points import Surface
from facecom.geometry.mesh import Floats, Mesh
from facecom.geometry.transform import Similarity
from facecom.io.files import write_mesh
from facecom.model.adapters.facecom_files import FaceComSource, convert_facecom
from facecom.model.adapters.linear_files import read_ict_facekit, read_linear
from facecom.model.adapters.source import LinearSource, SourceModel, mean_mesh
from facecom.model.adapters.transferred import TransferredGenerator, transfer
from facecom.model.linear.generator import LinearGenerator
from facecom.model.protocol import FaceModel
from facecom.model.template import Template

Place = tuple[Floats, Similarity]


def write_checkout(source: LinearSource, folder: Path) -> Path:
    """The files of a checkout: a neutral OBJ and one for each mode, in centimetres."""
    folder.mkdir(parents=True, exist_ok=True)
    faces = ["f " + " ".join(str(corner + 1) for corner in triangle) for triangle in source.triangles]
    shapes = {"generic_neutral_mesh": source.mean}
    shapes |= {f"identity{k:03d}": source.mean + mode for k, mode in enumerate(source.modes)}
    for name, vertices in shapes.items():
        places = [f"v {x:.8f} {y:.8f} {z:.8f}" for x, y, z in vertices / 10.0]
        (folder / f"{name}.obj").write_text("\n".join([*places, *faces]) + "\n")
    return folder


def linear_forms(ict: Path, folder: Path, *, modes: int) -> dict[str, Callable[[], LinearSource]]:
    """Name -> reader of each form, the files written into a folder."""
    source = read_ict_facekit(ict, modes=modes)
    sigma = np.linalg.norm(source.modes.reshape(modes, -1), axis=1)
    basis = np.moveaxis(source.modes / sigma[:, None, None], 0, 2)
    np.savez(folder / "linear.npz", mean=source.mean, basis=basis, sigma=sigma, faces=source.triangles)
    flame = {"v_template": source.mean / 1000.0, "shapedirs": np.moveaxis(source.modes, 0, 2) / 1000.0}
    flame = {name: np.ascontiguousarray(values) for name, values in flame.items()} | {"f": source.triangles.copy()}
    np.savez(folder / "flame.npz", **flame)
    save_file(flame, folder / "flame.safetensors")
    checkout = write_checkout(source, folder / "FaceXModel")
    return {
        "ICT-FaceKit, npz": lambda: read_ict_facekit(ict, modes=modes),
        "ICT-FaceKit, checkout": lambda: read_ict_facekit(checkout, modes=modes),
        "mean, basis, sigma, npz": lambda: read_linear(folder / "linear.npz"),
        "FLAME's names, npz": lambda: read_linear(folder / "flame.npz", mm_per_unit=1000.0),
        "FLAME's names, safetensors": lambda: read_linear(folder / "flame.safetensors", mm_per_unit=1000.0),
    }


def facecom_form(trained: Path, folder: Path) -> FaceComSource:
    """A decoder in FaceCom's own files, converted."""
    source = FaceComSource.load(trained)
    torch.save(source.decoder.state_dict(), folder / "checkpoint_decoder.pt")
    norm = {"mean": source.offset, "std": source.scale}
    torch.save({name: torch.tensor(values) for name, values in norm.items()}, folder / "norm.pt")
    write_mesh(folder / "template.ply", Mesh(source.offset, source.triangles))
    levels = {}
    for k in range(source.decoder.steps):
        levels[f"up_{k}"] = getattr(source.decoder, f"up_{k}").to_dense().numpy()
        levels[f"edges_{k}"] = getattr(source.decoder, f"around_{k}").coalesce().indices().numpy()[::-1]
    np.savez_compressed(folder / "levels.npz", **levels)
    names = ("checkpoint_decoder.pt", "norm.pt", "template.ply")
    return convert_facecom(*(folder / name for name in names), levels=folder / "levels.npz")


def carried(source: SourceModel, place: Place | None) -> TransferredGenerator:
    """A source on the template: where its mean face was placed, or as it is where it has the template's topology."""
    template = Template.load()
    if place is not None:
        return transfer(source, template, place[0], pose=place[1])
    offset = source.mean - template.vertices[: template.counts[2]]
    placed = template.vertices + template.prolong(offset, from_level=2, to_level=3, scheme="loop")
    return transfer(source, template, placed, pose=Similarity())


def row(name: str, source: SourceModel, place: Place | None, case: Path, folder: Path) -> str:
    """Carry, save, load, complete; a line of the table."""
    carried(source, place).save(folder / "carried")
    error = hole_error(case, TransferredGenerator.load(folder / "carried"))
    return f"| {name} | {source.code_size} | {len(source.mean)} | {error:.3f} |"


def hole_error(case: Path, model: FaceModel) -> float:
    """Mean distance in mm of the true missing surface to the completed face."""
    done = complete(case / "scan.ply", model=model)
    with np.load(case / "truth.npz", allow_pickle=False) as truth:
        return float(Surface(done.face).closest(truth["missing"]).distance.mean() * done.report.mm_per_unit)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ict", type=Path)
    parser.add_argument("case", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--facecom", type=Path)
    parser.add_argument("--modes", type=int, default=100, help="of ICT-FaceKit that are written")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    print("| form | code | vertices | hole mm |\n| --- | --- | --- | --- |", flush=True)
    shipped = LinearGenerator.load()
    print(f"| the shipped model | {shipped.code_size} | | {hole_error(options.case, shipped):.3f} |", flush=True)
    # all forms have one mean face, which needs one registration
    done = complete(mean_mesh(read_ict_facekit(options.ict, modes=1)), unit="mm")
    place = done.face.vertices, done.pose
    for name, read in linear_forms(options.ict, options.out, modes=options.modes).items():
        print(row(name, read(), place, options.case, options.out), flush=True)
    if options.facecom:
        source = facecom_form(options.facecom, options.out)
        print(row("FaceCom's three files", source, None, options.case, options.out), flush=True)


if __name__ == "__main__":
    main()
