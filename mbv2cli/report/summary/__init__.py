"""What `mbv2 summary` prints, format by format."""
