"""Few labels: what a corpus would be if fewer of its people had been labelled."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from pydantic import Field

from insula.errors import DataError, SettingsError
from insula.protocols import Protocol
from insula.samples import Samples
from insula.storage.cache import Cache
from insula.storage.settings import Settings


class FewLabels(Settings):
    """Labels of a few people of the training part; of the others what was recorded remains.

    Labels of the validation part stay: set `protocol.validation_share` to 0 where they, too, are to count.

    Parameters
    ----------
    label : str
        The column of labels.
    count : int
        Of how many units labels are kept.
    unit : str
        Whose: `subject`, `trial` and so on.
    seed : int
        Which; a larger `count` keeps those of a smaller one.
    """

    learns: ClassVar[bool] = False

    label: str = "emotion"
    count: int = Field(4, ge=1)
    unit: str = "subject"
    seed: int = Field(0, ge=0)

    def access(self, protocol: Protocol) -> str:
        """Return `none`: it takes something away."""
        return "none"

    def apply(self, samples: Samples, source: Samples, cache: Cache) -> Samples:
        """Return the samples with fewer labels.

        Raises
        ------
        DataError
            Where the training part has fewer units with a label.
        """
        if self.label not in samples.table:
            raise SettingsError(f"no column {self.label!r}", where="step few-labels", do="name the column of labels")
        known = source.table[self.label].notna().to_numpy()
        units = sorted({str(unit) for unit in source.units(self.unit)[known] if unit is not None})
        if len(units) < self.count:
            what = f"{len(units)} labelled {self.unit}s in the training part, of which {self.count} are wanted"
            raise DataError(what, where="step few-labels", do=f"set count to {len(units)} or less")
        kept = np.random.default_rng(self.seed).permutation(units)[: self.count]
        without = known & ~np.isin(source.units(self.unit).astype(str), kept)
        labels = samples.table[self.label].mask(samples.table.index.isin(source.ids[without]))
        return samples.with_columns(**{self.label: labels})
