"""The cost rules: one small function each, exact on whole numbers.

Every rule is made of ``+ - * //`` alone, so that it serves numbers and arrays of numbers alike.
"""

from __future__ import annotations


def same_padding(kernel: int, dilation: int) -> int:
    """Return the padding on each side that keeps "same" geometry for an odd ``kernel``."""
    return dilation * (kernel - 1) // 2


def conv_side(side: int, kernel: int, stride: int, dilation: int) -> int:
    """Return the output side of a convolution with "same" padding: ceil(side / stride).

    The general formula is torch.nn.Conv2d's.
    """
    span = dilation * (kernel - 1)
    return (side + 2 * same_padding(kernel, dilation) - span - 1) // stride + 1


def conv_params(in_channels: int, out_channels: int, kernel: int, groups: int) -> int:
    """Return the weights of a convolution without bias."""
    return out_channels * (in_channels // groups) * kernel * kernel


def conv_macs(positions: int, in_channels: int, out_channels: int, kernel: int, groups: int) -> int:
    """Return the multiply–accumulates of a convolution.

    ``positions`` is batch × output height × output width. Padding counts as data, as every
    counter has it (paper, section 3.1).
    """
    return positions * conv_params(in_channels, out_channels, kernel, groups)


def linear_params(in_features: int, out_features: int) -> int:
    """Return the weights and biases of a fully connected layer."""
    return out_features * in_features + out_features


def linear_macs(batch: int, in_features: int, out_features: int) -> int:
    """Return the multiply–accumulates of a fully connected layer, its bias not counted."""
    return batch * out_features * in_features


def norm_params(channels: int) -> int:
    """Return the weights and biases of BatchNorm."""
    return 2 * channels


def norm_buffers(channels: int) -> int:
    """Return the running means and variances of BatchNorm, and its count of batches."""
    return 2 * channels + 1
