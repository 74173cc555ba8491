"""What `mbv2 sweep` tells, and its faces."""
