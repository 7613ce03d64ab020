"""Measure how a model does on this machine: with each backend, and with more and fewer threads.

Knows no gateway and no supervisor: a :class:`~uml_core.bench.rig.Rig` loads and asks, whoever that is.
"""
