"""Reads a graph back into a spec: which MobileNetV2 it is, and where it differs."""
