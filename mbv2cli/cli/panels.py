"""The panels of flags that the help treats in a way of their own. This module imports nothing."""

from typing import Final

NAMED_ONLY: Final = "Fields"
"""The panel of the flags that the help names, and a guide explains."""
