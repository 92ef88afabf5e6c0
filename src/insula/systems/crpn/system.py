"""CRPN: a perceptual pathway learns from a conceptual one, from concepts where that one is unsure, and works alone.

Source: the concept-regularised perceptual network (CRPN), AAAI 2024.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from insula.samples import Samples
from insula.systems.crpn.settings import PRESETS, CRPNSettings
from insula.systems.fitting import stage
from insula.systems.picture_network import PictureNetwork, PictureNetworkSettings
from insula.systems.pictures import unique_pictures

if TYPE_CHECKING:
    import pandas as pd
    from torch import nn

    from insula.networks.pathways import ConceptualPathway, Percept
    from insula.systems.crpn.statistics import Statistics
    from insula.systems.crpn.teaching import PictureData


_ALONE = "the student from labels alone"
_IMITATED = "the teacher imitated on every picture: no confidence, no concepts"
_ARMS = {"crpn": "CRPN", "distillation": _IMITATED, "percept-only": _ALONE, "teacher": "the conceptual pathway"}
_PLACEBOS = {
    "percept-only": _ALONE,
    "distillation": _IMITATED,
    "shuffled-confidence": "doubtful pictures drawn at random, as many of each class",
    "random-classes": "concepts averaged over pictures of all classes",
}
_LACKING = {
    "crpn": tuple(_PLACEBOS),
    "distillation": ("percept-only",),
    "percept-only": (),
    "teacher": ("percept-only", "distillation"),
}


class CRPN(PictureNetwork):
    """A face network taught by another that knows how sure it is; the other is not needed at use.

    Parameters
    ----------
    settings : CRPNSettings
        See there; the defaults are the preset `default`.

    Attributes
    ----------
    teacher : ConceptualPathway or None
        Only in the process that fitted, and where the arm has one.
    statistics : Statistics or None
        How sure the teacher is of each training picture; likewise.
    people : Percept or None
        What the identity probe fine-tuned; likewise, and where settings ask for it.
    """

    Settings: ClassVar[type[PictureNetworkSettings]] = CRPNSettings
    presets: ClassVar = PRESETS

    def __init__(self, settings: CRPNSettings | None = None) -> None:
        super().__init__(settings)
        self.teacher: ConceptualPathway | None = None
        self.statistics: Statistics | None = None
        self.people: Percept | None = None

    @property
    def modes(self) -> Mapping[str, str]:  # type: ignore[override]
        """What predicts: the arm, under one name."""
        return {"crpn": _ARMS[self.settings.arm]}

    @property
    def placebos(self) -> Mapping[str, str]:  # type: ignore[override]
        """What lacks an ingredient that the arm has."""
        return {name: _PLACEBOS[name] for name in _LACKING[self.settings.arm]}

    def _settings_of(self, placebo: str) -> CRPNSettings:
        """Return the settings without the ingredient that the placebo names."""
        settings: CRPNSettings = self.settings.model_copy(update={"identity": None})
        if placebo in ("percept-only", "distillation"):
            return settings.model_copy(update={"arm": placebo})
        drawn = {"gate": "stored"} if placebo == "shuffled-confidence" else {}
        concepts = settings.concepts.model_copy(update={"stand_in": placebo, **drawn})
        return settings.model_copy(update={"arm": "crpn", "concepts": concepts})

    # fitting ----------------------------------------------------------------------------------------------------------

    def _network(self, classes: int, *, pretrained: bool = True) -> nn.Module:
        from insula.systems.crpn.build import emotion_branch, percept

        build = emotion_branch if self.settings.arm == "teacher" else percept
        return build(self.settings, classes, pretrained=pretrained)

    def _train(self, pictures: Samples, held: Samples, before: Any = None) -> None:
        from insula.systems.crpn.teaching import PictureData, confidence_statistics, taught_once, train_student

        data = PictureData(pictures, held, self.task, self.settings)
        self.teacher = self.statistics = self.people = None
        seconds = self.facts["seconds"] = {}
        if self.settings.arm != "percept-only":
            with stage(seconds, "conceptual pathway"):
                self.teacher, self.facts["teacher"] = taught_once(data)
            self.log.record("conceptual pathway", pictures)
            with stage(seconds, "confidence statistics"):
                self.statistics = measured = confidence_statistics(data, self.teacher)
            self.log.record("confidence statistics", pictures)
            self.facts["concepts"] = {
                "sha256": measured.digest(),
                "sure": float(measured.sure.float().mean()),
                "thresholds": dict(zip(measured.classes, measured.thresholds.tolist(), strict=True)),
            }
            if self.settings.identity is not None:
                self._learn_people(data)
            if len(held):
                self.facts |= self._on_validation(data)
        if self.settings.arm == "teacher":
            assert self.teacher is not None
            self.network = self.teacher.emotion
        else:
            with stage(seconds, "perceptual pathway"):
                self.network, facts = train_student(data, self.teacher, self.statistics)
            self.facts |= facts
        self.facts["weights"] = sum(part.numel() for part in self.network.parameters())

    def _learn_people(self, data: PictureData) -> None:
        """Fine-tune the probe and tell, on validation pictures of the same people, what features hold of them."""
        from insula.systems.crpn.identity import learn_people, of_people, people_facts, people_in

        assert self.teacher is not None
        with stage(self.facts["seconds"], "identity probe"):
            self.people, facts = learn_people(data, self.teacher)
        people = people_in(data.pictures)
        (mine, codes), (held, held_codes) = (of_people(people, part) for part in (data.pictures, data.held))
        self.log.record("identity probe", mine)
        if len(held):
            named = self._each(held, self.people, len(people)).argmax(axis=1)
            spaces, held_spaces = self._conceive(mine)[1], self._conceive(held)[1]
            facts["held_out"] = people_facts(spaces, codes, held_spaces, held_codes, named)
        self.facts["identity"] = facts

    def _on_validation(self, data: PictureData) -> dict[str, Any]:
        """Return how confidence and features fare on validation pictures, against their labels as given."""
        from insula.systems.crpn.measure import validation_facts

        labels, held_labels = data.labels(data.pictures), data.labels(data.held)
        (_, spaces), (confidence, held) = self._conceive(data.pictures), self._conceive(data.held)
        assert self.teacher is not None
        answered = self._each(data.held, self.teacher.emotion, len(self.task.classes))
        right = answered.argmax(axis=1) == held_labels
        return {
            "validation": validation_facts(spaces, labels, held, held_labels),
            "parts": {"confidence": confidence.tolist(), "right": right.astype(int).tolist()},
        }

    def _conceive(self, pictures: Samples) -> tuple[np.ndarray, dict[str, np.ndarray]]:
        """Return the teacher's confidence in pictures, (n,), and both kinds of features, (n, width), or all three."""
        import torch

        assert self.teacher is not None
        teacher, width = self.teacher, self.settings.width

        def both(batch: torch.Tensor) -> torch.Tensor:
            concept, other = teacher(batch)
            return torch.cat([concept.confidence[:, None], concept.features, other], dim=1)

        columns = self._each(pictures, both, 1 + 2 * width)
        spaces = {"emotion": columns[:, 1 : 1 + width], "non-emotion": columns[:, 1 + width :]}
        if self.people is not None:
            from insula.systems.crpn.identity import TUNED

            spaces[TUNED] = self._each(pictures, self.people.embed, width)
        return columns[:, 0], spaces

    # looking ----------------------------------------------------------------------------------------------------------

    def features(self, samples: Samples) -> dict[str, np.ndarray]:
        """Return what the report draws: features of the pathway that predicts and, where it taught, of the teacher."""
        unique, place = unique_pictures(samples)
        spaces = {}
        if self.settings.arm != "teacher" or self.teacher is None:
            network: Any = self.network
            spaces["percept"] = self._each(unique, network.embed, self.settings.width)
        if self.teacher is not None:
            spaces |= self._conceive(unique)[1]
        return {name: values[place] for name, values in spaces.items()}

    def measure(self, samples: Samples) -> dict[str, float]:
        """Return what confidence and features hold of test pictures; labels are not read.

        Parameters
        ----------
        samples : Samples
            With pictures; `identity`, `ambiguity` and `style` are what figures are held against, where there are any.
        """
        from insula.systems.crpn.measure import held_out_facts

        if self.teacher is None:
            return {}
        unique, _ = unique_pictures(samples)
        confidence, spaces = self._conceive(unique)
        sure = {"confidence": confidence, "largest probability": self._probabilities(unique).max(axis=1)}
        return held_out_facts(sure, {**self.features(unique), **spaces}, unique.table)

    @staticmethod
    def tables(facts: Sequence[Mapping[str, Any]]) -> dict[str, pd.DataFrame]:
        """Return tables for the report from the facts of many fits: what features hold, and accuracy by confidence."""
        from insula.systems.crpn.identity import people_table
        from insula.systems.crpn.measure import tables

        return {**people_table(facts), **tables(facts)}
