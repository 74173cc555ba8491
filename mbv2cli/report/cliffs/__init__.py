"""What `mbv2 cliffs` tells, and its faces."""
