"""What `mbv2 summary` tells, and its faces."""
