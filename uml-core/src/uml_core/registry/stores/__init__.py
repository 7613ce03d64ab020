"""The stores of other programs: where they keep models, and how one reads that without touching it."""
