"""A protocol and its rule of selection, in words for a reader."""

from __future__ import annotations

from insula.protocols.protocol import Protocol


def protocol_in_words(protocol: Protocol, labels: str = "classes") -> str:
    """Return what a protocol keeps apart, how it cuts and what it scores; `labels` are `classes` or `ratings`.

    Examples
    --------
    >>> from insula.protocols.protocol import protocol
    >>> protocol_in_words(protocol("identity-disjoint", folds=5))
    'No identity of the test part was seen in training. 5 folds, classes spread evenly. One prediction a stimulus is
    scored.'
    """
    apart, scored = _kept_apart(protocol), f"One prediction a {protocol.scored_unit} is scored."
    if protocol.parts is not None:
        return f"{apart} {scored}"
    if protocol.leave_one_out:
        cut = f"Each {protocol.disjoint[0]} was left out once"
    elif protocol.test_share is not None:
        cut = f"One split, {protocol.test_share:.0%} held out"
    else:
        cut = f"{protocol.folds} folds"
    even = f", {labels} spread evenly" if protocol.stratify else ""
    return f"{apart} {cut}{even}. {scored}"


def _kept_apart(protocol: Protocol) -> str:
    units = " and no ".join(unit.replace("+", " with ") for unit in protocol.disjoint)
    apart = f"No {units} of the test part was seen in training." if units else ""
    if protocol.test_corpora or protocol.name == "corpus-to-corpus":
        tested = " and ".join(protocol.test_corpora) or "the corpora that test_corpora names"
        copies = "without pictures of which a later part holds a near-duplicate"
        if protocol.as_published:
            copies = "copies of one picture in two parts included: this split may leak"
        return f"Tested on {tested}, trained on the training parts of the other corpora, {copies}. {apart}".strip()
    if protocol.parts is not None and protocol.as_published:
        return "Parts are as the corpus gives them, copies of one picture in two parts included: this split may leak."
    if protocol.parts is not None:
        given = "Parts are as the corpus gives them, without pictures of which a later part holds a near-duplicate."
        return f"{given} {apart}".strip()
    if protocol.as_published:
        return "Rows were split at random and nothing was kept whole, as in some published work: this split leaks."
    return apart or "Scored units were split at random; units that they belong to may be shared."


def selection_in_words(protocol: Protocol) -> str:
    """Return on what epochs and settings were chosen, and what was seen of the test part.

    Examples
    --------
    >>> from insula.protocols.protocol import protocol
    >>> selection_in_words(protocol("subject-disjoint", validation_share=0.0))
    'There is no validation part; settings were chosen inside training. Training saw nothing of the test part.'
    """
    share = f"{protocol.validation_share:.0%} of what training leaves, cut by the same rule"
    rest = "settings by cross-validation inside the training part; never on the test part."
    if protocol.parts is not None:
        none = f"or, where it gives none, {share}" if protocol.validation_share else "where it gives one"
        chosen = f"Epochs were chosen on the validation part of the corpus, {none}; {rest}"
    elif protocol.validation_share:
        chosen = f"Epochs were chosen on a validation part, {share}; {rest}"
    else:
        chosen = "There is no validation part; settings were chosen inside training."
    seen = {
        "none": "Training saw nothing of the test part.",
        "unlabelled": "Training saw the inputs of the test part without their labels (transductive).",
        "labelled": f"Training saw {protocol.target.share or 0:.0%} of the target, labels included; it is not scored.",
    }[protocol.target.kind]
    if not protocol.as_published:
        return f"{chosen} {seen}"
    trained = "may have seen copies" if protocol.parts is not None else "has seen parts"
    return f"{chosen} Training {trained} of what it was tested on."
