"""From the tensors of a checkpoint to a spec, and how each of its fields is known."""
