"""A face model of a linear trunk and a mesh network that adds what is not linear.

A code goes two ways: through the trunk (mean and modes), and through a small network over the template's levels. Its
global branch works on levels 0 and 1 and moves their vertices, and with them all finer ones; its local branch moves the
vertices that level 2 adds. All operators come from the template's nesting, which is in the checkpoint.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from facecom.geometry.mesh import Floats, Ints, Mesh
from facecom.model.encoding import encode, to_shape_level
from facecom.model.hub import hub_mixin, snapshot
from facecom.model.model_card import model_card
from facecom.model.network.mesh_network import FaceNetwork, Sizes
from facecom.model.sampling import interpolate, sample_meshes
from facecom.model.storage import (
    StorageFormat,
    check_finite,
    check_rows,
    check_widths,
    checkpoint_errors,
    to_int16,
    write_stored,
)
from facecom.model.template import COARSEST_LEVEL, FINEST_LEVEL, FIT_LEVEL, SHAPE_LEVEL, read_with_template

KIND = StorageFormat("facecom-generator", 2)
ENCODE_STEPS = 5
"""Gauss-Newton steps after the encoder's answer; they stop where no step lowers the cost."""


class FaceGenerator(FaceNetwork, hub_mixin()):  # type: ignore[misc]
    """Faces from codes with prior N(0, I): `mean + modes * code + network(code)`.

    Parameters
    ----------
    template : Template; its vertices are the mean
    modes : (M, V2, 3) float, mm for one standard deviation, on level 2, orthogonal under `weights`
    sizes : Sizes; `sizes.code` is M
    weights : (V2,) how much each vertex counts for a code; all alike unless given
    description : sources, settings and figures for model.json
    """

    _hub_mixin_config = {"model_type": KIND.format}
    _pushed_as: str | None = None

    code_size = property(lambda self: self.sizes.code, doc="Number M of code entries.")
    identity_size = property(lambda self: self.sizes.code, doc="Number of leading code entries that random faces draw.")

    def faces(self, level: int) -> Ints:
        """Triangles of a level, (F, 3)."""
        return self.template.faces[level]

    def mean(self, level: int = FINEST_LEVEL) -> Mesh:
        """The face of the zero code at a level."""
        return self.template.mesh(level).with_vertices(self.decode(np.zeros(self.code_size), level=level))

    def sample(self, seed: int, *, level: int = FINEST_LEVEL) -> Mesh:
        """A face drawn from the prior."""
        return sample_meshes(self, 1, seed=seed, level=level)[0]

    def interpolate(self, first: Floats, second: Floats, steps: int) -> Floats:
        """Codes (steps, M) on the way from one to another that stay as likely as the ends are."""
        return interpolate(first, second, steps)

    def _raw(self, code: Floats) -> Tensor:
        code = np.asarray(code, float)
        if code.shape[-1:] != (self.code_size,) or code.ndim > 2:
            raise ValueError(f"expected codes of {self.code_size} entries, got shape {code.shape}")
        tensor = torch.as_tensor(code, dtype=torch.float32, device=self.centre.device)
        return self.centre + tensor @ self.spread.T

    @torch.no_grad()
    def decode(self, code: Floats, *, level: int = FINEST_LEVEL) -> Floats:
        """Vertices of a level for a code (M,), or codes (B, M): (V, 3) or (B, V, 3), mm, face frame.

        Raises
        ------
        ValueError
            When the code has another length.
        """
        raw = self._raw(code)
        rows = raw.reshape(-1, self.code_size)
        if level <= FIT_LEVEL:
            count = self.template.counts[level]
            trunk = (rows @ self.modes[:, : 3 * count]).unflatten(1, (-1, 3))
            found = self.mean_vertices[:count] + trunk + self._coarse(rows)[0][:count].transpose(0, 1)
        else:
            found = self.decode_raw(rows)
        out = found.double().cpu().numpy()
        if level > SHAPE_LEVEL:
            count = self.template.counts[SHAPE_LEVEL]
            offsets = np.moveaxis(out - self.template.vertices[:count], 0, 1)
            finer = self.prolong_offset(offsets, from_level=SHAPE_LEVEL, to_level=level)
            out = self.template.vertices[: self.template.counts[level]] + np.moveaxis(finer, 1, 0)
        return out.reshape(*raw.shape[:-1], -1, 3)

    def encode(self, vertices: Floats) -> Floats:
        """Code (M,) of vertices (V, 3) of `SHAPE_LEVEL` or `FINEST_LEVEL`, mm, face frame.

        Least squares with the prior on `SHAPE_LEVEL`: the encoder's answer, then Gauss-Newton steps.

        Raises
        ------
        ValueError
            When the vertices are of neither level.
        """
        found = to_shape_level(self.template, vertices)
        return encode(self, found, start=self.encode_feed_forward(found), steps=ENCODE_STEPS)

    @torch.no_grad()
    def encode_feed_forward(self, vertices: Floats) -> Floats:
        """Code (M,) that the encoder alone gives vertices (V2, 3) of `SHAPE_LEVEL`: quicker, and less exact."""
        count = self.template.counts[SHAPE_LEVEL]
        if np.shape(vertices) != (count, 3):
            raise ValueError(f"expected {count} vertices (V, 3), got shape {np.shape(vertices)}")
        rows = torch.tensor(np.asarray(vertices)[None], dtype=torch.float32, device=self.centre.device)
        raw = self.encode_raw(rows)[0] - self.centre
        return torch.linalg.solve_triangular(self.spread, raw[:, None], upper=False)[:, 0].double().cpu().numpy()

    @torch.no_grad()
    def jacobian(self, code: Floats, *, level: int) -> Floats:
        """Derivative of the vertices of levels 0 to 2 at a code, (3 V, M), mm.

        Raises
        ------
        ValueError
            For finer levels.
        """
        if level > SHAPE_LEVEL:
            raise ValueError(f"the derivative is there up to level {SHAPE_LEVEL}; prolong what it gives")
        count = self.template.counts[level]
        trunk = self.modes[:, : 3 * count].T
        bend = self.bend_derivative(self._raw(code)[None], level=level).reshape(3 * count, -1)
        return ((trunk + bend) @ self.spread).double().cpu().numpy()

    def prolong_offset(self, offset: Floats, *, from_level: int, to_level: int) -> Floats:
        """Prolong displacements (V, ...) to a finer level, smoothly."""
        return self.template.prolong(offset, from_level=from_level, to_level=to_level, scheme="loop")

    def save(self, directory: str | Path) -> None:
        """Write model.json, weights.safetensors and the template; modes are stored in 16 bits."""
        folder = Path(directory)
        arrays = {name: value.detach().cpu().numpy() for name, value in self.state_dict().items() if name != "modes"}
        modes, scale = to_int16(self.modes.cpu().numpy())
        arrays |= {"modes": modes, "mode_scale": scale}
        description = {**self.description, "sizes": asdict(self.sizes)}
        write_stored(folder, arrays, description, kind=KIND)
        self.template.save(folder / "template")

    @classmethod
    def load(cls, directory: str | Path) -> FaceGenerator:
        """Read a model that `save` or the training wrote.

        Raises
        ------
        CheckpointError
            When a file is missing, damaged, of another version or of another kind; names the file and the reason.
        """
        arrays, text, template = read_with_template(directory, kind=KIND)
        with checkpoint_errors(directory, kind=KIND):
            check_finite(arrays, *arrays)
            check_rows(arrays["modes"], arrays["mode_scale"], ndim=2)
            check_widths(**text["sizes"])
            sizes = Sizes(**text["sizes"])
            if arrays["scatter.weight"].shape != (template.counts[COARSEST_LEVEL] * sizes.channels, sizes.hidden):
                raise ValueError("its layers have other sizes than its description says")
            modes = arrays.pop("modes") * arrays.pop("mode_scale")[:, None]
            kept = {k: v for k, v in text.items() if k not in ("format", "version", "sha256", "sizes")}
            shape, weights = (len(modes), -1, 3), arrays["weights"]
            model = cls(template, modes.reshape(shape), sizes=sizes, weights=weights, description=kept)
            state = {name: torch.from_numpy(array) for name, array in arrays.items()}
            model.load_state_dict({**state, "modes": model.modes})
        return model.eval()

    def push_to_hub(self, repo_id: str, **options: Any) -> Any:
        """Upload to "owner/name" on the Hub, with a card that asks for it by that name.

        Parameters
        ----------
        options : those of `huggingface_hub.PyTorchModelHubMixin.push_to_hub`
        """
        self._pushed_as = repo_id
        try:
            return super().push_to_hub(repo_id, **options)
        finally:
            self._pushed_as = None

    def _save_pretrained(self, save_directory: Path) -> None:
        self.save(save_directory)
        count = sum(weight.numel() for weight in self.parameters())
        name = self._pushed_as or save_directory.name
        card = model_card(self.description, name=name, code_size=self.code_size, parameters=count)
        (save_directory / "README.md").write_text(card, encoding="utf-8")

    @classmethod
    def from_pretrained(cls, name: str | Path, **options: Any) -> FaceGenerator:
        """Read a model from a local folder or the Hub.

        Parameters
        ----------
        name : a folder, or "owner/name" on the Hub
        options : revision, cache_dir, force_download, local_files_only, token, as `huggingface_hub` has them

        Raises
        ------
        CheckpointError
            When there is no such model within reach, or it is damaged.
        """
        return cls.load(snapshot(str(name), options))
