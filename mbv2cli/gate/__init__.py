"""What must hold: that plan and forward pass agree, that a model stays within its limits."""
