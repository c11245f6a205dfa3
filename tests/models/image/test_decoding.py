"""Whatever a shop calls a picture becomes pixels of one size, or a reason why not."""

import io
import re
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from models.image.decoding import decode

SIDE = 32
RED, GREEN, WHITE = (200, 30, 30), (0, 153, 0), (255, 255, 255)


def saved(image: Image.Image, form: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of_size(width: int, height: int) -> bytes:
    """A PNG that says how large it is and holds nothing: whoever decodes it fails otherwise than by size."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def pixels(content: bytes) -> np.ndarray:
    found = decode(content, SIDE)
    assert not isinstance(found, str), found
    assert (found.shape, found.dtype) == ((SIDE, SIDE, 3), np.uint8)
    return found


def test_a_picture_of_the_wanted_size_keeps_its_pixels() -> None:
    painted = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), np.uint8)
    assert np.array_equal(pixels(saved(Image.fromarray(painted))), painted)


def test_what_is_not_square_is_padded_with_white_and_nothing_is_cut() -> None:
    wide = Image.new("RGB", (64, 32), RED)
    expected = np.full((SIDE, SIDE, 3), 255, np.uint8)
    expected[8:24] = RED  # 64 × 32 becomes 32 × 16, in the middle
    assert np.array_equal(pixels(saved(wide)), expected)


def test_a_picture_stands_upright_as_its_exif_says() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by a quarter, clockwise, to see it
    lying = Image.new("RGB", (SIDE, SIDE), WHITE)
    lying.paste(RED, (0, 0, SIDE // 2, SIDE))  # left half becomes the upper half
    found = pixels(saved(lying, exif=exif))
    assert found[4, 28].tolist() == list(RED)
    assert found[28, 4].tolist() == list(WHITE)


def half_clear() -> Image.Image:
    """Left half green, right half a red that nobody sees."""
    image = Image.new("RGBA", (SIDE, SIDE), (*GREEN, 255))
    image.paste((*RED, 0), (SIDE // 2, 0, SIDE, SIDE))
    return image


def palette_with_clear_red() -> bytes:
    image = Image.new("P", (SIDE, SIDE), 0)
    image.putpalette([*GREEN, *RED])
    image.paste(1, (SIDE // 2, 0, SIDE, SIDE))
    return saved(image, transparency=1)


@pytest.mark.parametrize("content", [saved(half_clear()), palette_with_clear_red(), saved(half_clear(), "GIF")])
def test_what_is_transparent_is_white(content: bytes) -> None:
    found = pixels(content)
    assert found[16, 4].astype(int) == pytest.approx(GREEN, abs=2)
    assert found[16, 28].tolist() == list(WHITE)


def sixteen_bits() -> bytes:
    return saved(Image.fromarray(np.full((SIDE, SIDE), 128 * 257, np.uint16)))


def animated() -> bytes:
    frames = [Image.new("RGB", (SIDE, SIDE), colour) for colour in (GREEN, RED)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=100)


@pytest.mark.parametrize(
    ("content", "colour"),
    [
        (saved(Image.new("CMYK", (SIDE, SIDE), (0, 255, 255, 0)), "JPEG"), (255, 0, 0)),  # no cyan, all else: red
        (saved(Image.new("RGB", (SIDE, SIDE), GREEN).convert("P")), GREEN),
        (saved(Image.new("1", (SIDE, SIDE), 1)), WHITE),
        (saved(Image.new("L", (SIDE, SIDE), 77)), (77, 77, 77)),
        (saved(Image.new("LA", (SIDE, SIDE), (77, 255))), (77, 77, 77)),
        (sixteen_bits(), (128, 128, 128)),
        (animated(), GREEN),  # its first frame
        (saved(Image.new("RGB", (SIDE, SIDE), GREEN), "WEBP", lossless=True), GREEN),
        (saved(Image.new("RGB", (SIDE, SIDE), GREEN), "BMP"), GREEN),
        (saved(Image.new("RGB", (SIDE, SIDE), GREEN), "TIFF"), GREEN),
        (saved(Image.new("RGB", (4000, 3000), GREEN), "JPEG"), GREEN),
    ],
    ids=[
        "CMYK",
        "palette",
        "two colours",
        "grey",
        "grey with alpha",
        "16 bits",
        "animated",
        "WEBP",
        "BMP",
        "TIFF",
        "large",
    ],
)
def test_every_mode_becomes_red_green_and_blue(content: bytes, colour: tuple[int, int, int]) -> None:
    assert pixels(content)[16, 16].astype(int) == pytest.approx(colour, abs=4)


def cut(form: str) -> bytes:
    noise = np.random.default_rng(2).integers(0, 256, (64, 64, 3), np.uint8)
    content = saved(Image.fromarray(noise), form)
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"<html>404 Not Found</html>", "not a picture of a known format"),
        (b"%PDF-1.7", "not a picture of a known format"),
        (cut("JPEG"), "damaged: .*truncated"),
        (cut("PNG"), "damaged: "),
        (saved(Image.new("RGB", (1, 1))), "1 × 1 pixels, fewer than 8 on a side"),
        (saved(Image.new("RGB", (100, 7))), "100 × 7 pixels, fewer than 8 on a side"),
        (saved(Image.new("RGB", (800, 8))), "800 × 8 pixels, more than 20 times as long as wide"),
        (png_of_size(20_000, 20_000), "more than 89478485 pixels"),
        (png_of_size(10_000, 9_000), "more than 89478485 pixels"),  # where Pillow only warns
        (saved(Image.fromarray(np.zeros((SIDE, SIDE), np.float32)), "TIFF"), "mode F: 32 bits"),
    ],
    ids=["empty", "HTML", "PDF", "cut JPEG", "cut PNG", "1×1", "thin", "strip", "20,000²", "90 million", "float"],
)
def test_what_cannot_be_used_is_refused_with_a_reason(content: bytes, reason: str) -> None:
    found = decode(content, SIDE)
    assert isinstance(found, str)
    assert re.search(reason, found), found


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_the_limit_holds_where_warnings_are_none() -> None:
    assert decode(png_of_size(10_000, 9_000), SIDE) == "10000 × 9000 pixels, more than 89478485 pixels"


@given(st.integers(0, 300), st.binary(min_size=1, max_size=4))
def test_damage_gives_pixels_or_a_reason_and_nothing_else(at: int, content: bytes) -> None:
    whole = saved(Image.new("RGB", (SIDE, SIDE), RED), "JPEG")
    found = decode(whole[:at] + content + whole[at + len(content) :], SIDE)
    assert found if isinstance(found, str) else found.shape == (SIDE, SIDE, 3)
