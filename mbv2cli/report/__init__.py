"""Results as data, and their faces: one renderer a format. No input or output, no cost rules."""
