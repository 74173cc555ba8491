"""What `mbv2 counts` tells, and its faces."""
