"""A process that remembers cards as a scan does and says which ones, until it is killed: ``scanning.py FOLDER RUN``."""

import os
import sys
from pathlib import Path

from uml_core.registry.records import Records
from uml_core.storage import Storage
from uml_core.types import Layer, ModelCard, Shape, StoredModel

folder, run = Path(sys.argv[1]), sys.argv[2]
storage = Storage(folder, run_id=run)
records = Records.load(folder, storage)
storage.start()
shape = Shape(heads=32, layers=(Layer(kv_heads=8, key_length=128, value_length=128),) * 32)
number = 0
while True:
    path = Path(f"/models/{run}-{number:06}.gguf")
    card = ModelCard(path=path, format="gguf", files=(path,), size_bytes=number, shape=shape, license="l" * 1500)
    records.put_card(StoredModel(id=path.stem, path=path, size_bytes=number, store="models"), ((number, 1, 2),), card)
    if number % 10 == 0:
        records.set_alias(path.stem, f"{number}")
        records.pin(path.stem, on=True)
        records.count_request("a", completion_tokens=1)
    os.write(1, b"%s %d\n" % (path.stem.encode(), number))
    number += 1
