"""A protocol and its rule of selection, in words for a reader."""

from __future__ import annotations

from insula.protocols.protocol import Protocol


def protocol_in_words(protocol: Protocol) -> str:
    """Return what a protocol keeps apart, how it cuts and what it scores.

    Examples
    --------
    >>> from insula.protocols.protocol import protocol
    >>> protocol_in_words(protocol("identity-disjoint", folds=5))
    'No identity of the test part was seen in training. 5 folds, classes spread evenly. One prediction a stimulus is
    scored.'
    """
    if protocol.as_published:
        apart = "Rows were split at random and nothing was kept whole, as in some published work: this split leaks."
    elif protocol.disjoint:
        units = " and no ".join(unit.replace("+", " with ") for unit in protocol.disjoint)
        apart = f"No {units} of the test part was seen in training."
    else:
        apart = "Scored units were split at random; units that they belong to may be shared."
    if protocol.leave_one_out:
        cut = f"Each {protocol.disjoint[0]} was left out once"
    elif protocol.test_share is not None:
        cut = f"One split, {protocol.test_share:.0%} held out"
    else:
        cut = f"{protocol.folds} folds"
    even = ", classes spread evenly" if protocol.stratify else ""
    return f"{apart} {cut}{even}. One prediction a {protocol.scored_unit} is scored."


def selection_in_words(protocol: Protocol) -> str:
    """Return on what epochs and settings were chosen, and what was seen of the test part.

    Examples
    --------
    >>> from insula.protocols.protocol import protocol
    >>> selection_in_words(protocol("subject-disjoint", validation_share=0.0))
    'There is no validation part; settings were chosen inside training. Training saw nothing of the test part.'
    """
    if protocol.validation_share:
        chosen = (
            f"Epochs were chosen on a validation part, {protocol.validation_share:.0%} of what training leaves, cut by "
            "the same rule; settings by cross-validation inside the training part; never on the test part."
        )
    else:
        chosen = "There is no validation part; settings were chosen inside training."
    seen = {
        "none": "Training saw nothing of the test part.",
        "unlabelled": "Training saw the inputs of the test part without their labels (transductive).",
        "labelled": f"Training saw {protocol.target.share or 0:.0%} of the target, labels included; it is not scored.",
    }[protocol.target.kind]
    return f"{chosen} {'Training has seen parts of what it was tested on.' if protocol.as_published else seen}"
