"""RBTransformer: attention between electrodes, on band-wise differential entropy."""
