"""Inspect MobileNetV2 and its inverted residual blocks: shapes, parameters, MACs, memory."""
