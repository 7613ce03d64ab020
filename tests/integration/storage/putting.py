"""A process that puts rows and says which ones, until it is killed: ``putting.py FOLDER RUN``."""

import os
import sys
from pathlib import Path

from uml_core.storage import Storage

folder, run = Path(sys.argv[1]), sys.argv[2]
storage = Storage(folder, run_id=run)
storage.start()
number = 0
while True:
    name = f"{run}-{number}"
    storage.put("requests", {"id": name, "status": "started", "path": "/v1/chat/completions"})
    if number % 3 == 0:
        storage.put("requests", {"id": name, "status": "ok", "completion_tokens": number})
    os.write(1, b"%s %s\n" % (name.encode(), b"ok" if number % 3 == 0 else b"aborted"))
    number += 1
