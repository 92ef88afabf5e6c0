"""The blocks of mdJPT and of the networks before it in NumPy, written from their description, loop by loop."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from scipy.special import erf
from torch import nn

Weights: TypeAlias = dict[str, np.ndarray]


def weights_of(network: nn.Module) -> Weights:
    return {name: value.numpy() for name, value in network.state_dict().items()}


def within(weights: Weights, part: str) -> Weights:
    return {name.removeprefix(part + "."): value for name, value in weights.items() if name.startswith(part + ".")}


def linear(weights: Weights, part: str, values: np.ndarray) -> np.ndarray:
    return values @ weights[part + ".weight"].T + weights[part + ".bias"]


def convolved(weights: Weights, part: str, values: np.ndarray, dilation: int = 1) -> np.ndarray:
    """Filters (maps, channels of a group, length) along the last axis of (n, channels, steps), without padding."""
    filters, bias = weights[part + ".weight"], weights[part + ".bias"]
    maps, width, length = filters.shape
    of_each = maps // (values.shape[1] // width)
    out = np.empty((len(values), maps, values.shape[2] - dilation * (length - 1)))
    for number in range(maps):
        start = number // of_each * width
        group = values[:, start : start + width]
        for step in range(out.shape[2]):
            seen = group[:, :, step : step + dilation * (length - 1) + 1 : dilation]
            out[:, number, step] = (seen * filters[number]).sum(axis=(1, 2)) + bias[number]
    return out


def padded(values: np.ndarray, before: int, after: int = 0) -> np.ndarray:
    return np.pad(values, ((0, 0), (0, 0), (before, after)))


def pooled(values: np.ndarray, length: int, stride: int) -> np.ndarray:
    starts = range(0, values.shape[2] - length + 1, stride)
    return np.stack([values[:, :, start : start + length].mean(axis=2) for start in starts], axis=2)


def stratified(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    out = np.empty_like(values)
    for group in set(groups.tolist()):
        for feature in range(values.shape[1]):
            for channel in range(values.shape[2]):
                one = values[groups == group, feature, channel]
                out[groups == group, feature, channel] = (one - one.mean()) / (one.std(ddof=1) + 1e-3)
    return out


def linear_attention_block(weights: Weights, tokens: np.ndarray, heads: int) -> np.ndarray:
    def along(part: str, values: np.ndarray) -> np.ndarray:
        return convolved(weights, part, padded(values.transpose(0, 2, 1), 1, 1)).transpose(0, 2, 1)

    tokens = tokens + along("before", tokens)
    centred = tokens - tokens.mean(axis=2, keepdims=True)
    normed = centred / np.sqrt(centred.var(axis=2, keepdims=True) + 1e-5)
    normed = normed * weights["norm.weight"] + weights["norm.bias"]
    gate = _silu(linear(weights, "gate", normed))
    entered = _silu(along("within", linear(weights, "entry", normed)))
    queries, keys, values = np.split(linear(weights, "asked", entered), 3, axis=2)
    queries, keys = _positive(queries), _positive(keys)
    attended = np.empty_like(values)
    for head in np.split(np.arange(tokens.shape[2]), heads):
        for row in range(len(tokens)):
            shares = queries[row][:, head] @ keys[row][:, head].T
            attended[row][:, head] = shares @ values[row][:, head] / (shares.sum(axis=1, keepdims=True) + 1e-5)
    tokens = tokens + linear(weights, "exit", linear(weights, "joined", attended) * gate)
    tokens = tokens + along("after", tokens)
    hidden = linear(weights, "feed_forward.0", tokens)
    return tokens + linear(weights, "feed_forward.2", hidden * (1 + erf(hidden / np.sqrt(2))) / 2)


def channel_encoder(weights: Weights, windows: np.ndarray, patch: int, stride: int, heads: int) -> np.ndarray:
    starts = range(0, windows.shape[2] - patch + 1, stride)
    patches = np.stack([windows[:, :, start : start + patch] for start in starts], axis=2).reshape(
        -1, len(starts), patch
    )
    tokens = patches @ weights["patches.weight"][:, 0].T + weights["patches.bias"]
    for block in range(len({name.split(".")[1] for name in weights if name.startswith("blocks.")})):
        tokens = linear_attention_block(within(weights, f"blocks.{block}"), tokens, heads)
    features = linear(weights, "features", tokens).reshape(*windows.shape[:2], len(starts), -1)
    return features.transpose(0, 3, 1, 2)


def dynamics(weights: Weights, values: np.ndarray, dilations: tuple[int, ...]) -> np.ndarray:
    flat = values.reshape(len(values), -1, values.shape[3])
    scales = []
    for number, dilation in enumerate(dilations):
        around = dilation * (weights["scales.0.weight"].shape[2] - 1) // 2
        scales.append(convolved(weights, f"scales.{number}", padded(flat, around, around), dilation))
    maps = np.concatenate(scales, axis=1)
    length = weights["along.weight"].shape[2]
    attention = np.maximum(convolved(weights, "along", padded(maps, length - 1)), 0)
    attention = convolved(weights, "across", pooled(padded(attention, length - 1), length, 1))
    shares = np.exp(attention - attention.max(axis=1, keepdims=True))
    return shares / shares.sum(axis=1, keepdims=True) * np.maximum(maps, 0)


def projector(weights: Weights, maps: np.ndarray, groups: np.ndarray, pooling: int) -> np.ndarray:
    values = stratified(pooled(maps, pooling, pooling)[:, :, None], groups)[:, :, 0]
    for part in ("first", "second"):
        values = np.maximum(convolved(weights, part, values), 0)
    flat = stratified(values[:, :, None], groups).reshape(len(maps), -1)
    return flat / np.linalg.norm(flat, axis=1, keepdims=True)


def _silu(values: np.ndarray) -> np.ndarray:
    return values / (1 + np.exp(-values))


def _positive(values: np.ndarray) -> np.ndarray:
    return np.where(values > 0, values + 1, np.exp(values))
