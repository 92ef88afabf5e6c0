"""Linear attention: the block against NumPy, and what it does to the order of tokens."""

from __future__ import annotations

import numpy as np
import torch

from insula.networks.linear_attention import LinearAttentionBlock
from numpy_networks import linear_attention_block, weights_of


def test_a_block_is_what_its_description_says() -> None:
    block, tokens = LinearAttentionBlock(width=12, heads=3, hidden=20).double(), torch.randn(4, 9, 12).double()
    with torch.inference_mode():
        output = block(tokens).numpy()
    assert np.allclose(output, linear_attention_block(weights_of(block), tokens.numpy(), heads=3), atol=1e-10)


def test_every_token_hears_of_every_other() -> None:
    block, tokens = LinearAttentionBlock(width=8, heads=2, hidden=8), torch.randn(1, 30, 8)
    later = tokens.clone()
    later[0, -1] += 1
    with torch.inference_mode():
        assert bool(((block(later) - block(tokens))[0, 0].abs() > 1e-6).any())
