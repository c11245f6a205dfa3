"""One contender of `benchmarks.pictures`: features or vectors of the same decoded pictures.

    python pictures_worker.py <hog | tandem | torch> <pixels.npy> <weights> <made.npy>

`pixels` are (pictures, side, side, 3) uint8. `weights` is the folder of an encoder for `tandem`, its tensors as one
`.npz` for `torch`, and unused by `hog`. Writes what it made, prints a line of JSON and makes it again, timed, after
every line that it reads. Runs under any Python that has NumPy and the library, so that torch and scikit-image stay out
of this project's environment.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rounds import answer

Pictures = Any
"""(pictures, side, side, 3) uint8."""
BATCH = 64
EPSILON = 1e-3
"""Of Keras's batch normalisation."""


def tandem(weights: str) -> Callable[[Pictures], Any]:
    """This project's network."""
    from models.image import network
    from models.image.encoder import PictureEncoder

    encoder = PictureEncoder.load(Path(weights))
    tower = network.filled(encoder.params, encoder.tensors)
    return lambda pixels: in_batches(tower.predict_on_batch, pixels)


def torch(weights: str) -> Callable[[Pictures], Any]:
    """The same network on torch, channels last, traced and frozen with its normalisation folded: its fastest form."""
    import torch

    with np.load(weights) as stored:
        tower = torch_tower({name: torch.from_numpy(stored[name]) for name in stored.files})
    tower = tower.eval().to(memory_format=torch.channels_last)
    frozen = None

    def encode(pixels: Pictures) -> Any:
        nonlocal frozen
        with torch.inference_mode():
            x = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 127.5 - 1  # channels last in memory
            if frozen is None:
                frozen = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(tower, x)))
            return torch.nn.functional.normalize(frozen(x), dim=1).numpy()

    return lambda pixels: in_batches(encode, pixels)


def hog(_: str) -> Callable[[Pictures], Any]:
    """Histograms of oriented gradients: 8 × 8 cells, blocks of 2 × 2; of Dalal and Triggs 2005."""
    from skimage.feature import hog as features

    def of(picture: Any) -> Any:
        cell = (picture.shape[0] // 8,) * 2
        return features(picture, 9, cell, (2, 2), block_norm="L2-Hys", channel_axis=2).astype(np.float32)

    return lambda pixels: np.stack([of(picture) for picture in pixels])


def in_batches(encode: Callable[[Pictures], Any], pixels: Pictures) -> Any:
    """(pictures, dim)."""
    return np.concatenate([encode(pixels[n : n + BATCH]) for n in range(0, len(pixels), BATCH)])


def torch_tower(tensors: dict[str, Any]) -> Any:
    """The compact network in torch's own modules, filled by the names of its tensors."""
    from torch import nn

    end = "_first_kernel/kernel"
    blocks = sorted(name.removesuffix(end) for name in tensors if name.endswith(end))
    strides = [2 if not name.startswith("stage_0") and name.endswith("block_0") else 1 for name in blocks]
    last = nn.Linear(*tensors["projection/kernel"].shape)
    last.weight.data, last.bias.data = tensors["projection/kernel"].T.contiguous(), tensors["projection/bias"]
    return nn.Sequential(
        *(nn.Sequential(_convolved(tensors, f"stem_{n}", 2), nn.ReLU()) for n in range(2)),
        *(_residual(tensors, name, stride) for name, stride in zip(blocks, strides, strict=True)),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        last,
    )


def _residual(tensors: dict[str, Any], name: str, stride: int) -> Any:
    """relu(shortcut + two convolutions)."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first = _convolved(tensors, f"{name}_first", stride)
            self.second = _convolved(tensors, f"{name}_second", 1)
            changed = f"{name}_shortcut_kernel/kernel" in tensors
            self.shortcut = _convolved(tensors, f"{name}_shortcut", stride) if changed else nn.Identity()

        def forward(self, x: Any) -> Any:
            return (self.shortcut(x) + self.second(self.first(x).relu())).relu()

    return Block()


def _convolved(tensors: dict[str, Any], name: str, stride: int) -> Any:
    """Convolution and normalisation, padded as Keras pads an even side: where it is halved, behind it alone."""
    from torch import nn

    kernel = tensors[f"{name}_kernel/kernel"].permute(3, 2, 0, 1)  # (out, in, height, width)
    out, into, size, _ = kernel.shape
    made = nn.Conv2d(into, out, size, stride, bias=False)
    made.weight.data = kernel.contiguous()
    norm = nn.BatchNorm2d(out, eps=EPSILON)
    norm.weight.data, norm.bias.data = (tensors[f"{name}_norm/{of}"] for of in ("gamma", "beta"))
    norm.running_mean, norm.running_var = (tensors[f"{name}_norm/moving_{of}"] for of in ("mean", "variance"))
    before, behind = {(3, 2): (0, 1), (3, 1): (1, 1)}.get((size, stride), (0, 0))
    return nn.Sequential(nn.ZeroPad2d((before, behind, before, behind)), made, norm)


KINDS = {
    "hog": (hog, ("scikit-image",)),
    "tandem": (tandem, ("tensorflow-cpu", "keras")),
    "torch": (torch, ("torch",)),
}


def main(kind: str, pixels: str, weights: str, made: str) -> None:
    """Work until nothing more is asked."""
    make, packages = KINDS[kind]
    work, pictures = make(weights), np.load(pixels)
    np.save(made, work(pictures))  # warms up as well
    answer(lambda: work(pictures), packages)


if __name__ == "__main__":
    main(*sys.argv[1:])
