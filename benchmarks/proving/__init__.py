"""What the proofs have in common: a gateway to kill, clients that notice everything, and what they saw, counted."""
