"""Loads of real models in real processes, each measured kind by kind."""
