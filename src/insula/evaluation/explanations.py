"""What a fitted network on EEG answers from: tables for the report, written with the fit and read with its results."""

from __future__ import annotations

import pandas as pd

from insula.eeg.montage import canonical
from insula.errors import DataError
from insula.evaluation.add_on import AddOn, FinishedFit, FinishedRun, Tables
from insula.evaluation.attributions import Method, cascade, channel_attributions, check_attributions
from insula.evaluation.subset import evenly
from insula.samples import Samples
from insula.systems.fitting import labelled
from insula.systems.signal_network import SignalNetwork

_METHOD: Method = "saliency"  # one gradient a sample; others also show what is loud in the input, learnt or not
_SAMPLES, _FEW = 128, 32  # asked of each of 20 networks, and at each layer: seconds
_TABLES = ("attributions", "sanity", "cascade", "attention")


class Explanations(AddOn):
    """What the system's first fit answers from, where it is a network on electrodes: `explanations` of its test part.

    Labels say which class is asked about, after everything was predicted.
    """

    def write(self, fit: FinishedFit) -> None:
        """Write the tables; none where there is nothing to draw on a scalp."""
        system = fit.system
        if not isinstance(system, SignalNetwork) or not _on_scalp(system):
            return
        test = fit.samples.by_id(fit.test.ids)
        test = labelled(test.select(test.has(system.settings.modality)), system.task)
        if len(test):
            for name, table in explanations(system, test).items():
                table.to_parquet(fit.folder / f"{name}.parquet")

    def read(self, run: FinishedRun) -> Tables:
        """Return the tables by name."""
        paths = {name: run.first / f"{name}.parquet" for name in _TABLES}
        return {name: pd.read_parquet(path) for name, path in paths.items() if path.exists()}


def explanations(system: SignalNetwork, test: Samples) -> dict[str, pd.DataFrame]:
    """Return what a network's answers rest on, from some samples of each subject and class.

    Parameters
    ----------
    system : SignalNetwork
        Fitted on electrodes of known places x times or bands.
    test : Samples
        Labelled, with the modality of the system.

    Returns
    -------
    dict of str to DataFrame
        `attributions` (`channel_attributions`), `sanity` (`Sanity.table`), `cascade` and, where the system has
        `attention(samples)`, that: one row a pair of electrodes, `from, to, value`, of which those from one electrode
        add up to one.
    """
    tables = {
        "attributions": channel_attributions(system, test, _METHOD, _SAMPLES),
        "sanity": check_attributions(system, test, _METHOD, _SAMPLES).table(),
        "cascade": cascade(system, test, _METHOD, _FEW),
    }
    subjects = pd.DataFrame({"subject": test.units("subject")})
    if (weights := system.attention(test.select(evenly(subjects, _SAMPLES)))) is not None:
        pairs = pd.MultiIndex.from_product([system.form.channels] * 2, names=["from", "to"])
        tables["attention"] = pd.DataFrame({"value": weights.ravel()}, index=pairs).reset_index()
    return tables


def _on_scalp(system: SignalNetwork) -> bool:
    """Return whether a network's rows are electrodes of known places x times or bands."""
    if system.form.axes not in (("channel", "time"), ("channel", "band")):
        return False
    try:
        canonical(system.form.channels)
    except DataError:
        return False
    return True
