"""Engines in an environment of their own: another Python, which UML asks, launches workers in, and can make."""
