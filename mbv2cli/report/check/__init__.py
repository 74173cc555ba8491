"""What `mbv2 check` prints, format by format."""
