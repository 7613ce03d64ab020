"""What the benchmarks of text need: a client that counts, and each engine by itself, without UML."""
