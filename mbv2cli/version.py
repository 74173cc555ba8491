"""The version of mbv2."""

__version__ = "0.1.0"
