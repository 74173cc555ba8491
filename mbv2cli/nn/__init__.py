"""The real thing: modules, devices, the dummy forward pass. The only room that imports torch."""
