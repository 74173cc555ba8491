"""What a graph costs: each file folds over the operations. No torch, no numpy."""
