"""What `mbv2 sweep` prints, draws and writes."""
