"""Frames of a video: upright, at the times the file gives, one at a time, and one line where there are none."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from filmed import break_off, film
from insula.errors import DataError, SettingsError
from insula.faces import Frame, read_video, video_writer


def corner(count: int, height: int = 48, width: int = 64) -> Iterator[np.ndarray]:
    """Yield dark frames with a white corner on the upper left, each a little lighter than the one before."""
    for number in range(count):
        picture = np.full((height, width, 3), 2 * number, np.uint8)
        picture[:12, :12] = 255
        yield picture


def test_frames_come_in_order_with_their_times(tmp_path: Path) -> None:
    path = film(tmp_path / "film.mp4", corner(30), np.arange(30) / 10)
    frames = list(read_video(path))
    assert [round(frame.time, 3) for frame in frames] == [round(number / 10, 3) for number in range(30)]
    shades = np.array([frame.picture[24:, 32:].mean() for frame in frames])
    assert np.abs(shades - 2 * np.arange(30)).max() < 6 and frames[0].picture.dtype == np.uint8


@pytest.mark.parametrize("ending", ["avi", "mkv", "mov", "mp4"])
def test_a_rate_takes_the_first_frame_of_each_interval(tmp_path: Path, ending: str) -> None:
    path = film(tmp_path / f"film.{ending}", corner(30), np.arange(30) / 10)
    assert [round(frame.time, 2) for frame in read_video(path, 2)] == [0, 0.5, 1, 1.5, 2, 2.5]
    assert len(list(read_video(path, 1000))) == 30


def test_a_variable_rate_is_told_as_it_is(tmp_path: Path) -> None:
    times = [0, 0.1, 0.2, 0.3, 1.0, 1.05, 1.1, 3.0]
    path = film(tmp_path / "film.mkv", corner(8), times)
    assert [round(frame.time, 3) for frame in read_video(path)] == times
    assert [round(frame.time, 3) for frame in read_video(path, 5)] == [0, 0.2, 1.0, 3.0]


@pytest.mark.parametrize(("rotation", "row", "column"), [(0, 0, 0), (90, 1, 0), (180, 1, 1), (-90, 0, 1)])
def test_the_rotation_of_the_display_is_applied(tmp_path: Path, rotation: int, row: int, column: int) -> None:
    path = film(tmp_path / "film.mp4", corner(3), [0, 0.1, 0.2], rotation=rotation)
    picture = next(read_video(path)).picture
    assert picture.shape == ((48, 64, 3) if rotation in (0, 180) else (64, 48, 3))
    bright = picture[4:-4:1, 4:-4].mean(axis=2) > 128
    found = [bright[: len(bright) // 2].any(), bright[:, : bright.shape[1] // 2].any()]
    assert found == [row == 0, column == 0]


def test_a_phone_that_was_held_upright_gives_an_upright_picture(tmp_path: Path) -> None:
    """The matrix that phones write: a point at (x, y) is shown at (-y, x), a quarter turn with the clock."""
    import av

    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        stream.set_display_matrix([0, 1 << 16, 0, -(1 << 16), 0, 0, 0, 0, 1 << 30])
        for picture in corner(3):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    picture = next(read_video(path)).picture
    assert picture.shape == (64, 48, 3) and picture[2:8, -8:-2].min() > 200 and picture[2:8, 2:8].max() < 60


def test_pixels_are_made_square(tmp_path: Path) -> None:
    import av

    path = tmp_path / "wide.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 48, 48, "yuv420p"
        stream.codec_context.sample_aspect_ratio = 2
        container.mux(stream.encode(av.VideoFrame.from_ndarray(next(corner(1, 48, 48)))))
        container.mux(stream.encode())
    assert next(read_video(path)).picture.shape == (48, 96, 3)


def test_a_long_video_takes_no_more_memory_than_a_short_one(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        path = film(tmp_path / f"{count}.mp4", corner(count, 240, 320), np.arange(count) / 25)
        tracemalloc.start()
        assert sum(1 for _ in read_video(path)) == count
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return most

    assert peak(100) < peak(20) + 240 * 320 * 3


def test_what_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    import av

    whole = film(tmp_path / "film.mp4", corner(20), np.arange(20) / 10).read_bytes()
    (tmp_path / "cut.mp4").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "text.mp4").write_text("no video")
    (tmp_path / "nothing.mp4").write_bytes(b"")
    with av.open(str(tmp_path / "sound.mp4"), "w") as container:
        stream = container.add_stream("aac", rate=44100)
        sound = av.AudioFrame.from_ndarray(np.zeros((1, 1024), np.float32), format="fltp", layout="mono")
        sound.sample_rate = 44100
        container.mux([*stream.encode(sound), *stream.encode()])
    with av.open(str(tmp_path / "empty.avi"), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        container.start_encoding()
    said = {
        "cut.mp4": "broken video",
        "text.mp4": "broken video",
        "nothing.mp4": "broken video",
        "sound.mp4": "there is no video in it",
        "empty.avi": "the video has no frame",
        "absent.mp4": "no such file",
    }
    for name, line in said.items():
        with pytest.raises(DataError, match=line) as caught:
            list(read_video(tmp_path / name))
        assert name in str(caught.value) and "\n" not in str(caught.value)
    with pytest.raises(SettingsError, match="no rate of 0"):
        list(read_video(tmp_path / "film.mp4", 0))


def test_a_film_that_was_cut_short_says_when(tmp_path: Path) -> None:
    whole = film(tmp_path / "film.mkv", corner(60), np.arange(60) / 10)
    content = whole.read_bytes()
    (tmp_path / "cut.mkv").write_bytes(content[: len(content) // 2])
    frames = read_video(tmp_path / "cut.mkv")
    assert next(frames).time == 0
    with pytest.raises(DataError, match=r"no frame after \d\.\d of [56]\.\d seconds|broken video"):
        list(frames)


@pytest.mark.parametrize("ending", ["avi", "mkv"])
@pytest.mark.parametrize("count", [15, 60])
def test_a_third_that_was_cut_away_is_said_even_of_a_short_film(tmp_path: Path, ending: str, count: int) -> None:
    """FFmpeg shrinks the duration of such an AVI to what is there; how many frames there were stands in its header."""
    import av

    path = tmp_path / f"film.{ending}"
    noise = np.random.default_rng(0).integers(0, 255, (count, 48, 64, 3), dtype=np.uint8)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in noise:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
    assert len(list(read_video(path))) == count
    content = path.read_bytes()
    path.write_bytes(content[: 2 * len(content) // 3])
    with pytest.raises(DataError, match=rf"no frame after \d\.\d of {count / 10:.1f} seconds|broken video"):
        list(read_video(path))


@pytest.mark.parametrize("ending", ["mp4", "mkv"])
def test_sound_that_goes_on_after_the_pictures_is_no_missing_video(tmp_path: Path, ending: str) -> None:
    import av

    path = tmp_path / f"film.{ending}"
    with av.open(str(path), "w") as container:
        stream, sound = container.add_stream("mpeg4", rate=10), container.add_stream("aac", rate=48000)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for picture in corner(20):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture)))
        container.mux(stream.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((1, 5 * 48000), np.float32), format="fltp", layout="mono")
        silence.sample_rate = 48000
        container.mux([*sound.encode(silence), *sound.encode()])
    assert len(list(read_video(path))) == 20


def test_what_is_written_is_read_again_at_its_own_times(tmp_path: Path) -> None:
    times = [0.0, 0.1, 0.3, 1.0, 1.05]
    path = tmp_path / "copy.mp4"
    with video_writer(path) as add:
        for time, picture in zip(times, corner(5, 49, 65), strict=True):
            add(Frame(time, picture))
    again = list(read_video(path))
    assert [round(frame.time, 3) for frame in again] == times
    assert again[0].picture.shape == (48, 64, 3)
    assert again[0].picture[2:8, 2:8].min() > 200 and again[0].picture[24:, 32:].max() < 30


def test_frames_before_a_break_are_kept(tmp_path: Path) -> None:
    path = break_off(film(tmp_path / "film.mp4", corner(60), np.arange(60) / 10), frame=30)
    seen = []
    with pytest.raises(DataError, match="broken video"):
        for frame in read_video(path):
            seen.append(round(frame.time, 3))
    assert seen == [round(number / 10, 3) for number in range(30)]
