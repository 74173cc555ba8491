"""What `mbv2 compare` tells, and its faces."""
