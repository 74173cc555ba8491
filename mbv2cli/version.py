"""The version of mbv2, and that of its JSON documents."""

__version__ = "0.1.0"

SCHEMA_VERSION = 1
"""Grows when a field goes or changes its meaning. A new field does not change it."""
