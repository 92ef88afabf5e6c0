from __future__ import annotations

import base64
import os
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from insula.errors import DataError
from insula.faces import list_pictures, pictures, read_picture, read_reduced
from insula.faces.pictures import passed_over, picture_size

COLOURS = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)

PHOTOGRAPH = zlib.decompress(
    base64.b64decode(
        "eNpjYGCQSSupLMhIzUxmAILczDRDEDs3MzGNgYExLDe1JJEBAhQzUnKKoGyGgszkEgY0oJSZkw82xMWBgREIgYCxCkIDgQ4QK2dm5qWBeSBR"
        "USAnlQnKyyhLNgQx+QoyS3LhSq5lFhQVAOntmQXJ+UC6AqjMmZEZJDQBrEjuA8Ofvz9+MDDwMycAdUg4MPIw/v8PUsAMUsEMQnK7mBwSgZLa"
        "ToyMaDILFBpZp73y1FyXxyTFwwESOgEiOBySgOrZXRgPFm1QcgBaI5ycn1OUl5xTARTmZWBrAAqJZBYXpEL95gDFAgWZFZkgAWYODqBpDOKZ"
        "Bbmw4AOGCEsjEzMLkGmSm5IICj0NDcb1wg3PVhRc/v/Pb0r9n1Pp7S+41nj//5L5y37H7fh/fSmuHuv/H7v6AAB3nVil"
    )
)
"""HEIC of 64 x 64 pixels, red on the left and blue on the right: made once, as what is installed cannot write it."""


def save(image: Image.Image, path: Path, **options: object) -> Path:
    image.save(path, **options)
    return path


def test_colours_survive_a_lossless_file(tmp_path: Path) -> None:
    for ending in ("png", "bmp", "tiff", "ppm"):
        picture = read_picture(save(Image.fromarray(COLOURS), tmp_path / f"a.{ending}"))
        assert picture.dtype == np.uint8
        np.testing.assert_array_equal(picture, COLOURS)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    stored = {
        1: COLOURS,
        2: COLOURS[:, ::-1],
        3: COLOURS[::-1, ::-1],
        4: COLOURS[::-1],
        5: COLOURS.transpose(1, 0, 2),
        6: np.rot90(COLOURS, 1),
        7: COLOURS.transpose(1, 0, 2)[::-1, ::-1],
        8: np.rot90(COLOURS, -1),
    }[orientation]  # EXIF 2.32, table of tag 0x0112: what a camera stores so that COLOURS is upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(np.ascontiguousarray(stored)), tmp_path / "a.png", exif=exif)
    np.testing.assert_array_equal(read_picture(path), COLOURS)


def test_grey_and_bilevel_become_rgb(tmp_path: Path) -> None:
    grey = COLOURS[..., 0]
    np.testing.assert_array_equal(
        read_picture(save(Image.fromarray(grey), tmp_path / "g.png")), np.repeat(grey[..., None], 3, axis=2)
    )
    bilevel = Image.fromarray(grey > 127)
    np.testing.assert_array_equal(read_picture(save(bilevel, tmp_path / "b.png"))[..., 1], (grey > 127) * 255)


@pytest.mark.parametrize("ending", ["png", "tiff", "pgm"])
def test_sixteen_bits_are_scaled_not_clipped(tmp_path: Path, ending: str) -> None:
    ramp = np.linspace(0, 65535, 1200).reshape(30, 40).astype(np.uint16)
    picture = read_picture(save(Image.fromarray(ramp), tmp_path / f"a.{ending}"))
    np.testing.assert_allclose(picture[..., 0], ramp / 257.0, atol=0.51)
    assert (picture[..., 0] == picture[..., 2]).all()


def test_transparency_is_laid_on_white(tmp_path: Path) -> None:
    alpha = np.full((30, 40, 1), 255, dtype=np.uint8)
    alpha[:, 20:] = 0
    path = save(Image.fromarray(np.concatenate([COLOURS, alpha], axis=2)), tmp_path / "a.png")
    picture = read_picture(path)
    np.testing.assert_array_equal(picture[:, :20], COLOURS[:, :20])
    assert (picture[:, 20:] == 255).all()
    palette = Image.new("P", (4, 2), 1)
    palette.putpalette([0, 0, 0, 200, 30, 10])
    palette.putpixel((0, 0), 0)
    picture = read_picture(save(palette, tmp_path / "p.png", transparency=0))
    assert picture[0, 0].tolist() == [255, 255, 255]
    assert picture[1, 3].tolist() == [200, 30, 10]


def test_cmyk_becomes_rgb(tmp_path: Path) -> None:
    red = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    assert np.abs(read_picture(save(red, tmp_path / "a.jpg")).astype(int) - (255, 0, 0)).max() < 10


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("share", [0.05, 0.5, 0.95])
def test_a_truncated_file_is_one_line(tmp_path: Path, ending: str, share: float) -> None:
    path = save(Image.fromarray(COLOURS).resize((200, 150)), tmp_path / f"cut.{ending}")
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(DataError, match=f"cut.{ending}") as error:
        read_picture(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("content", [b"", b"no picture at all", b"\xff\xd8\xff\xe0" + bytes(50), bytes(1000)])
def test_what_is_no_picture_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.jpg"
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.jpg"):
        read_picture(path)


def test_float_and_32_bit_pictures_have_no_white(tmp_path: Path) -> None:
    for name, values in (("f", np.ones((4, 4), np.float32)), ("i", np.full((4, 4), 1_000_000, np.int32))):
        with pytest.raises(DataError, match="no defined white"):
            read_picture(save(Image.fromarray(values), tmp_path / f"{name}.tiff"))


def test_an_absent_file_and_a_folder_are_named(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no such file .*absent\.jpg"):
        read_picture(tmp_path / "absent.jpg")
    with pytest.raises(DataError, match=tmp_path.name):
        read_picture(tmp_path)


def test_a_folder_is_listed_recursively_in_order(tmp_path: Path) -> None:
    for name in ("b/2.PNG", "b/10.jpeg", "a.jpg", "notes.txt", "b/._2.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert [path.relative_to(tmp_path).as_posix() for path in list_pictures(tmp_path)] == [
        "a.jpg",
        "b/10.jpeg",
        "b/2.PNG",
    ]


def test_an_empty_and_an_absent_folder_are_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no picture in this folder"):
        list_pictures(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        list_pictures(tmp_path / "absent")


SMOOTH = np.asarray(Image.fromarray(COLOURS[:6, :8]).resize((801, 603), Image.Resampling.BICUBIC))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_is_reduced_with_its_orientation(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = save(Image.fromarray(SMOOTH), tmp_path / "a.jpg", exif=exif, quality=95)
    whole = read_picture(path)
    for side, divisor in ((801, 1), (400, 2), (201, 2), (200, 4), (60, 8)):
        picture, divided = read_reduced(path, side)
        assert divided == divisor and picture.dtype == np.uint8
        assert picture.shape[:2] == tuple(-(-length // divisor) for length in whole.shape[:2])
        expected = np.asarray(Image.fromarray(whole).resize(picture.shape[1::-1], Image.Resampling.BOX))
        assert np.abs(picture.astype(int) - expected).mean() < 4
    np.testing.assert_array_equal(read_reduced(path, 801)[0], whole)


def test_reduced_grey_and_cmyk_jpegs_become_rgb(tmp_path: Path) -> None:
    for mode in ("L", "CMYK"):
        path = save(Image.fromarray(SMOOTH).convert(mode), tmp_path / f"{mode}.jpg", quality=95)
        picture, divisor = read_reduced(path, 200)
        assert divisor == 4 and picture.shape == (151, 201, 3)
        expected = np.asarray(Image.fromarray(read_picture(path)).resize((201, 151), Image.Resampling.BOX))
        assert np.abs(picture.astype(int) - expected).mean() < 4


def test_only_jpegs_are_reduced_and_none_to_nothing(tmp_path: Path) -> None:
    deep = np.linspace(0, 65535, 120_000).reshape(300, 400).astype(np.uint16)
    for path in (
        save(Image.fromarray(deep), tmp_path / "deep.png"),
        save(Image.fromarray(SMOOTH), tmp_path / "a.webp"),
        save(Image.fromarray(SMOOTH[:1, :700]), tmp_path / "line.jpg"),
    ):
        picture, divisor = read_reduced(path, 50)
        assert divisor == 1
        np.testing.assert_array_equal(picture, read_picture(path))


def test_a_truncated_jpeg_is_no_better_reduced(tmp_path: Path) -> None:
    path = save(Image.fromarray(SMOOTH), tmp_path / "cut.jpg")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(DataError, match=r"broken picture: .*cut\.jpg"):
        read_reduced(path, 100)


def test_photographs_of_phones_are_read_where_their_tier_is_installed(tmp_path: Path) -> None:
    pytest.importorskip("pi_heif")
    (tmp_path / "a.HEIC").write_bytes(PHOTOGRAPH)
    assert list_pictures(tmp_path) == [tmp_path / "a.HEIC"]
    left, right = np.split(read_picture(tmp_path / "a.HEIC").astype(float), 2, axis=1)
    assert left[..., 0].mean() > 200 > 60 > right[..., 0].mean()
    (tmp_path / "b.heif").write_bytes(PHOTOGRAPH[:-40])
    with pytest.raises(DataError, match="broken picture"):
        read_picture(tmp_path / "b.heif")


def test_without_their_tier_they_are_named_with_the_classes_and_people_that_go_with_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pictures, "SUFFIXES", pictures.SUFFIXES - {".heic"})
    for name in ("p1/joy/a.jpg", "p1/sad/b.HEIC", "p2/joy/c.heic", "p2/sad/d.heic"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(b"no picture")
    assert passed_over(tmp_path, pictures.SUFFIXES) == (
        "3 files are passed over: 3 .heic; nothing is read in p1/sad, p2; pip install 'insula[heic]' reads HEIC"
    )
    with pytest.raises(DataError, match=r"pip install 'insula\[heic\]'"):
        read_picture(tmp_path / "p2" / "joy" / "c.heic")


def test_linked_folders_are_looked_into_and_links_that_lead_nowhere_are_counted(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    save(Image.fromarray(COLOURS), elsewhere / "a.png")
    root = tmp_path / "root"
    root.mkdir()
    (root / "joy").symlink_to(elsewhere)
    (elsewhere / "round").symlink_to(root)
    for name in ("b.jpg", "c.jpg"):
        (root / name).symlink_to(".git/annex/objects/nothing")
    assert list_pictures(root) == [root / "joy" / "a.png"]
    line = str(passed_over(root))
    assert "git-annex has not fetched b.jpg, c.jpg:" in line and "read already, or lie above: joy/round" in line


def test_a_class_of_which_nothing_is_read_is_named_whatever_the_reason(tmp_path: Path) -> None:
    for name in ("joy", "empty", "text", "pointer", "pipe", "d.jpg"):
        (tmp_path / name).mkdir()
    save(Image.fromarray(COLOURS), tmp_path / "joy" / "a.png")
    (tmp_path / "text" / "a.txt").touch()
    (tmp_path / "pointer" / "a.jpg").write_text("version https://git-lfs.github.com/spec/v1")
    os.mkfifo(tmp_path / "pipe" / "a.jpg")
    assert list_pictures(tmp_path) == [tmp_path / "joy" / "a.png"]
    line = str(passed_over(tmp_path))
    assert "Git LFS has not fetched pointer/a.jpg" in line and "pipes or devices: pipe/a.jpg" in line
    assert "nothing is read in d.jpg, empty, pipe and 2 more" in line
    with pytest.raises(DataError, match="Git LFS has not fetched"):
        read_picture(tmp_path / "pointer" / "a.jpg")
    (tmp_path / "joy" / "b.jpg").touch()
    with pytest.raises(DataError, match="empty"):
        read_picture(tmp_path / "joy" / "b.jpg")


def test_a_path_that_no_table_can_hold_is_refused_as_that(tmp_path: Path) -> None:
    folder = tmp_path / os.fsdecode(b"tr\xe4urig")
    folder.mkdir()
    save(Image.fromarray(COLOURS), folder / "a.png")
    with pytest.raises(DataError, match=r"no UTF-8 text: 1 \(tr.udce4urig/a.png\): rename"):
        list_pictures(tmp_path)


def test_a_format_behind_another_ending_is_not_tried(tmp_path: Path) -> None:
    for kind in ("PCX", "TGA", "SGI", "PDF"):
        Image.new("RGB", (32, 32)).save(tmp_path / "other.png", format=kind)
        with pytest.raises(DataError, match="not a picture that Pillow reads"):
            read_picture(tmp_path / "other.png")


def test_a_picture_of_more_pixels_than_pillow_admits_is_reduced_where_it_can_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    image = Image.new("RGB", (800, 400), (200, 30, 30))
    image.save(tmp_path / "large.jpg")
    image.save(tmp_path / "large.png")
    assert read_picture(tmp_path / "large.jpg").shape == (50, 100, 3)
    assert picture_size(tmp_path / "large.jpg") == (400, 800)
    with pytest.raises(DataError, match=r"no JPEG .*: make it smaller: magick .*large\.png -resize"):
        read_picture(tmp_path / "large.png")


def test_what_is_broken_in_exif_costs_no_pixel(tmp_path: Path) -> None:
    exif = b"Exif\0\0II*\0\x08\0\0\0\x02\0\x12\x01\x03\0\x01\0\0\0\x06\0\0\0\x1a\x01\x05\0\x01\0\0\0\x26\0\0\0\0\0\0\0"
    Image.new("RGB", (16, 8)).save(tmp_path / "odd.jpg", exif=exif + b"\xff\xff\xff\xff\0\0\0\0")  # -1 over 0
    assert read_picture(tmp_path / "odd.jpg").shape == (16, 8, 3)
    Image.new("RGB", (16, 8)).save(tmp_path / "cut.jpg", exif=exif[:20])
    assert read_picture(tmp_path / "cut.jpg").shape == (8, 16, 3)
