"""Names and shapes of the tensors in a checkpoint. No reader runs code or reads a tensor's data."""
