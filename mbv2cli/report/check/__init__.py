"""What `mbv2 check` tells, and its faces."""
