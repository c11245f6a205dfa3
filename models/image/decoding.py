"""A picture's bytes as pixels of one size, or the reason why it is none.

The whole picture is kept and padded with white, as shops show their products: a centre crop would cut long ones.
"""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from tandem.data.pictures import OPENED

Pixels = NDArray[np.uint8]

SMALLEST = 8
"""Pixels on a side; less shows nothing."""
LONGEST = 20
"""Times as long as wide; longer ones are rulers and page dividers."""
SIXTEEN_BITS = ("I;16", "I;16L", "I;16B")


def decode(content: bytes, side: int) -> Pixels | str:
    """(side, side, 3) of red, green and blue, or why there are none.

    Upright as its EXIF says, the first frame of an animation, transparency over white. The size is judged before
    anything is decoded.
    """
    if not content:
        return "empty"
    try:
        with Image.open(io.BytesIO(content), formats=OPENED) as picture:
            return _misfit(picture) or np.asarray(_square(picture, side))
    except UnidentifiedImageError:
        return f"not a picture of a known format ({', '.join(OPENED)})"
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        return f"more than {Image.MAX_IMAGE_PIXELS} pixels"
    except Exception as error:  # decoders raise almost anything on damaged input
        return f"damaged: {str(error) or type(error).__name__}"


def _misfit(picture: Image.Image) -> str | None:
    """Why a picture of this size or mode is not decoded."""
    short, long = sorted(picture.size)
    size = f"{picture.width} × {picture.height} pixels"
    if short < SMALLEST:
        return f"{size}, fewer than {SMALLEST} on a side"
    if long > LONGEST * short:
        return f"{size}, more than {LONGEST} times as long as wide"
    if Image.MAX_IMAGE_PIXELS and short * long > Image.MAX_IMAGE_PIXELS:
        return f"{size}, more than {Image.MAX_IMAGE_PIXELS} pixels"
    if picture.mode in ("I", "F"):
        return f"mode {picture.mode}: 32 bits a pixel, of no known range"
    return None


def _square(picture: Image.Image, side: int) -> Image.Image:
    picture.draft(None, (2 * side, 2 * side))  # JPEG alone: skips detail that would be scaled away
    upright = _coloured(ImageOps.exif_transpose(picture))
    return ImageOps.pad(upright, (side, side), Image.Resampling.BICUBIC, color="white")


def _coloured(picture: Image.Image) -> Image.Image:
    """In red, green and blue, transparency over white."""
    if picture.mode in SIXTEEN_BITS:
        return Image.fromarray((np.asarray(picture) // 257).astype(np.uint8)).convert("RGB")
    if not picture.has_transparency_data:
        return picture.convert("RGB")
    white = Image.new("RGBA", picture.size, "white")
    white.alpha_composite(picture.convert("RGBA"))
    return white.convert("RGB")
