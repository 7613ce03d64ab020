"""The process that renders chat templates: they are programs of a model's author, and here they can be killed.

A package of its own that imports nothing of ours, so that the process stays small: run by
:mod:`uml_core.worker.text.template_process` under its bare name, with relative imports.
"""
