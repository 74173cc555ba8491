"""Results as text: a renderer for each format. No input or output, no arithmetic of costs."""
