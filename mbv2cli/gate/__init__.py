"""The gate: cases of a configuration file, their limits, their lock, and what has changed."""
