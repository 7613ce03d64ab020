"""``python -m uml_core`` is ``uml``."""

from uml_core.cli.main import main

if __name__ == "__main__":
    main()
