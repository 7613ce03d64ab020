"""Put the package on the path by itself: ``-I -S`` leaves nothing there but the standard library and this folder."""

import sys
from importlib import import_module
from pathlib import Path

sys.path[0] = str(Path(__file__).parent.parent)
import_module("fake_worker.worker").main()
