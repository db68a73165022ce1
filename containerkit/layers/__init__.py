"""The questions one asks of layers: what they hold, what they waste, who shares them, what removing them frees."""
