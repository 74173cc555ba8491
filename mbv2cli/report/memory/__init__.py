"""What `mbv2 memory` tells, and its faces."""
