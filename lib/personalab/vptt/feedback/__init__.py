"""Feedback simulation (VPTT 3.3, 4.2.4, 16): labelled prompts, the network, its baselines, re-ranking."""
