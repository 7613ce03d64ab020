"""UML backend: a template to copy."""
