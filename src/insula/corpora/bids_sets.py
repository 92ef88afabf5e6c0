"""Open BIDS sets of emotion, each the reader `bids_emotion` with a layout: DENS, EmoEEG-MC, and music."""

from __future__ import annotations

from typing import ClassVar

from pydantic import PositiveFloat

from insula.corpora.bids_emotion import BidsEmotion, BidsEmotionSettings
from insula.corpora.bids_events import Layout
from insula.corpora.bids_labels import Answers, Order, Ratings
from insula.corpora.contract import Card
from insula.eeg.preprocessing import Preprocessing

#: Electrodes of the 128-channel HydroCel net that its maker gives as those of the 10-20 system. By MNE's templates each
#: lies within 24 degrees of it: T7 and T8 (23 degrees) are the worst, F7, F8, Fz, P7, P8 and Pz lie 10 to 13 away.
HYDROCEL = {
    "E22": "Fp1", "E9": "Fp2", "E33": "F7", "E24": "F3", "E11": "Fz", "E124": "F4", "E122": "F8", "E45": "T7",
    "E36": "C3", "E104": "C4", "E108": "T8", "E58": "P7", "E52": "P3", "E62": "Pz", "E92": "P4", "E96": "P8",
    "E70": "O1", "E75": "Oz", "E83": "O2",
}  # fmt: skip

#: What the README of EmoEEG-MC calls its channels; the files hold triggers besides.
EMOEEG_CHANNELS = (
    "Fp1", "Fpz", "Fp2", "AF7", "AF3", "AF4", "AF8", "F7", "F5", "F3", "F1", "Fz", "F2", "F4", "F6", "F8", "FT7", "FC5",
    "FC3", "FC1", "FCz", "FC2", "FC4", "FC6", "FT8", "T7", "C5", "C3", "C1", "Cz", "C2", "C4", "C6", "T8", "TP7", "CP5",
    "CP3", "CP1", "CPz", "CP2", "CP4", "CP6", "TP8", "P7", "P5", "P3", "P1", "Pz", "P2", "P4", "P6", "P8", "PO7", "PO3",
    "POz", "PO4", "PO8", "O1", "Oz", "O2", "F9", "F10", "TP9", "TP10",
)  # fmt: skip

DENS = Layout(
    starts=("stm",),
    seconds=60,
    unit="samples",
    stimulus="label",
    ratings=Ratings(
        stimulus="stimuliName",
        scales={
            "valence": (1, 9), "arousal": (1, 9), "dominance": (1, 9), "liking": (1, 5), "familiarity": (1, 5),
            "relevance": (1, 5),
        },
    ),
    rename=HYDROCEL,
)  # fmt: skip

EMOEEG_MC = Layout(
    names={"31": "rating", "32": "ima", "33": "vid"},
    starts=("ima", "vid"),
    ends=("rating",),
    order=Order(
        emotions={
            "joy": "joy", "ins": "inspiration", "ten": "tenderness", "fear": "fear", "dis": "disgust", "sad": "sadness",
            "neu": "neutral",
        },
        contexts={"ima": "imagery", "vid": "video"},
    ),
    rename={name: name for name in EMOEEG_CHANNELS},
)  # fmt: skip

MUSIC = Layout(
    starts=("788",),
    seconds=12,
    stimulus_codes=(301, 660),
    answers=Answers(
        questions={
            "800": "pleasant", "801": "energetic", "802": "tense", "803": "angry", "804": "afraid", "805": "happy",
            "806": "sad", "807": "tender",
        },
        first=901,
        last=909,
        within=0.4,
    ),
)  # fmt: skip


class DensSettings(BidsEmotionSettings):
    """The settings of `BidsEmotionSettings`, with the layout of DENS."""

    layout: Layout = DENS


class Dens(BidsEmotion):
    """Windows of EEG while a film clip of a minute was shown, with the ratings given after it."""

    card: ClassVar[Card] = Card(
        name="dens",
        title="Dataset on Emotion with Naturalistic Stimuli (OpenNeuro ds003751)",
        licence="CC0",
        access="open: openneuro-py download --dataset=ds003751 --target-dir=dens",
        size="about 40 people x 11 clips of 60 s, 128 channels at 250 Hz",
        citation="Mishra, Asif, Tiwary and Srinivasan (2021), Dataset on Emotion with Naturalistic Stimuli (DENS), "
        "10.18112/openneuro.ds003751.v1.0.4",
        labels="valence, arousal, dominance: 1 to 9; liking, familiarity, relevance: 1 to 5",
        modalities=("eeg", "features"),
        notes="Read from the set's tables and from public readers of it, not tried on the recordings. events.tsv has "
        "samples where BIDS says seconds (a wrong unit is refused: trials would overlap or leave the recording). A "
        "trial is an event stm; its label is the clip, perhaps with the number of the showing, and ratings in "
        "beh/*_beh.tsv are joined by it. People without such a table have no labels. Of the 128 channels the nineteen "
        "that lie near the 10-20 system are read: set layout.rename for others. The clicks that mark felt emotion "
        "within a clip, and its category, are not read.",
    )
    Settings: ClassVar[type[BidsEmotionSettings]] = DensSettings


class EmoEegPreprocessing(Preprocessing):
    """The settings of `Preprocessing`, with defaults for recordings that were low-passed at 47 Hz."""

    band: tuple[PositiveFloat, PositiveFloat] = (1.0, 45.0)
    notch: PositiveFloat | None = None


class EmoEegMcSettings(BidsEmotionSettings):
    """The settings of `BidsEmotionSettings`, with the layout of EmoEEG-MC."""

    layout: Layout = EMOEEG_MC
    preprocessing: Preprocessing = EmoEegPreprocessing()


class EmoEegMc(BidsEmotion):
    """Windows of EEG while a clip was shown or an emotion imagined, until its rating began."""

    card: ClassVar[Card] = Card(
        name="emoeeg-mc",
        title="EmoEEG-MC, emotion by video and by imagery (OpenNeuro ds005540)",
        licence="CC0",
        access="open: openneuro-py download --dataset=ds005540 --target-dir=emoeeg-mc",
        size="59 people with EEG x 21 videos and 21 imaginations, 103 recordings, 64 channels at 600 or 1200 Hz",
        citation="Xu, Shen, Chen, Zhang, Wang, Li, Li, Zhang, Zhang and Liu (2025), EmoEEG-MC, Scientific Data, "
        "10.1038/s41597-025-05349-2",
        labels="emotion: happiness, inspiration, tenderness, fear, disgust, sadness, neutral; context: video, imagery",
        modalities=("eeg", "features"),
        notes="Read from the set's tables and README, not tried on the recordings. A trial runs from the marker 33 "
        "(video) or 32 (imagery) to the marker 31 (rating); its emotion is that of the README's list for the person. "
        "Where the list is not as long as the trials are many, they have no emotion and a warning says so. Release "
        "1.0.7 has no tables of events: the recordings' annotations are then read, assumed to be the markers' numbers. "
        "The ratings are not read: which row is which trial is not documented, and for some people lists and tables "
        "contradict each other (53 and 54 may be swapped). The authors use the last 30 s of a trial.",
    )
    Settings: ClassVar[type[BidsEmotionSettings]] = EmoEegMcSettings


class MusicSettings(BidsEmotionSettings):
    """The settings of `BidsEmotionSettings`, with the layout of ds002721."""

    layout: Layout = MUSIC


class MusicEmotion(BidsEmotion):
    """Windows of EEG while film music was played, with the ratings given after it."""

    card: ClassVar[Card] = Card(
        name="music-emotion",
        title="EEG during affective music listening (OpenNeuro ds002721)",
        licence="CC BY 4.0",
        access="open: openneuro-py download --dataset=ds002721 --target-dir=music-emotion",
        size="31 people x 4 runs of 10 excerpts, 19 channels at 1000 Hz",
        citation="Daly, Nicolaou, Williams, Hwang, Kirke, Miranda and Nasuto (2020), Neural and physiological data "
        "from participants listening to affective music, Scientific Data 7, 177, 10.1038/s41597-020-0507-6",
        labels="pleasant, energetic, tense, angry, afraid, happy, sad, tender: 1 to 9",
        modalities=("eeg", "features"),
        notes="Read from the set's README and from public readers of it, not tried on the recordings. Music begins at "
        "event 788; the README says that it lasts 12 s in one place and 20 s in another: the first 12 s are taken "
        "(layout.seconds). Codes 301 to 660 name the excerpt; what they sound like is not documented. A question is "
        "800 to 807, its answer 901 to 909 within 0.4 s; what was not answered is missing. Runs 1 and 6 are rest.",
    )
    Settings: ClassVar[type[BidsEmotionSettings]] = MusicSettings
