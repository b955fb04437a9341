# %% [markdown]
# # Complete a scan and look at it
#
# A scan of a face without a nose goes in; the whole face comes out. Run this from the project's folder,
# or change `SCAN` to a file of your own: PLY, OBJ, STL, OFF, GLB, PCD or XYZ, in any pose and unit.

# %%
from importlib.util import find_spec
from pathlib import Path

import numpy as np

import facecom
from facecom.drawing.preview import preview
from facecom.io.images import png_bytes

SCAN = Path("data/demo/nose.ply")
OUT = Path("out/complete_and_look")

# %% [markdown]
# `complete` finds the pose and the unit itself. The report says what it found.

# %%
completion = facecom.complete(SCAN)
report = completion.report
print(f"unit {report.unit}, {report.observed_share:.0%} of the face observed, {report.made_up_share:.0%} made up")
print(f"standard deviation of what was made up: {report.sigma_made_up_mm:.2f} mm")
for region, distance in sorted(report.scan_to_face_mm.items()):
    print(f"  scan to face, {region}: {distance:.3f} mm")

# %% [markdown]
# `merged` keeps every triangle of the scan and fills the hole; `face` is the whole face in the template's topology;
# `patch` is the filling alone. All three lie in the scan's own frame and unit.

# %%
OUT.mkdir(parents=True, exist_ok=True)
for name in ("face", "merged", "patch"):
    facecom.write_mesh(OUT / f"{name}.ply", getattr(completion, name))

# %% [markdown]
# The picture shows the scan above and the result below; orange comes from the face model, blue is where the other side
# of the face shows the place.

# %%
picture = preview(
    completion.scan,
    completion.merged,
    provenance=completion.merged_provenance,
    pose=completion.pose.inverse(),
)
(OUT / "preview.png").write_bytes(png_bytes(picture))
print(f"see {OUT / 'preview.png'}")

# %% [markdown]
# In a notebook, k3d turns the face with the mouse; the colours are the standard deviation in mm. The same view is kept
# as a page that any browser opens. PyVista takes the face as well: `completion.to_pyvista()`.

# %%
if find_spec("k3d"):
    import k3d
    from k3d.colormaps.matplotlib_color_maps import Inferno

    sigma = completion.sigma_mm.astype(np.float32)
    plot = k3d.plot(grid_visible=False, camera_auto_fit=True)
    plot += k3d.mesh(
        completion.face.vertices.astype(np.float32),
        completion.face.faces.astype(np.uint32),
        attribute=sigma,
        color_map=Inferno,
        color_range=[0.0, float(np.quantile(sigma, 0.98))],
    )
    (OUT / "face.html").write_text(plot.get_snapshot(), encoding="utf-8")
    plot.display()

# %% [markdown]
# The scan does not decide everything. Other faces explain it as well:

# %%
others = completion.samples(2, seed=1)
for k, other in enumerate(others):
    moved = np.linalg.norm(other.face.vertices - completion.face.vertices, axis=1)
    apart = moved[completion.provenance > 0].mean() * report.mm_per_unit
    print(f"sample {k}: {apart:.2f} mm from the most likely face where it was made up, on average")
