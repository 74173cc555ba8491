"""What `mbv2 presets` tells, and its faces."""
