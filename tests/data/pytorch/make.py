"""Make the checkpoints of this folder: `python make.py`, with PyTorch 2.13. The tests read them without it."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch

HERE = Path(__file__).parent


class Net(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.up = torch.nn.Linear(4, 8)
        self.norm = torch.nn.BatchNorm1d(8)
        self.down = torch.nn.Linear(8, 4, bias=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.down(self.norm(self.up(x)))


def views() -> dict[str, object]:
    table = torch.zeros(10, 10)
    return {
        "table.weight": table,
        "tied.weight": table,
        "rows.weight": table[2:4],
        "turned.weight": table.t(),
        "parameter": torch.nn.Parameter(torch.ones(3, dtype=torch.bfloat16)),
        "half": torch.ones(2, 3, dtype=torch.float16),
        "eighth": torch.zeros(4).to(torch.float8_e4m3fn),
        "unsigned": torch.zeros(4, dtype=torch.uint16),
        "empty": torch.zeros(0, 3),
        "complex": torch.zeros(2, dtype=torch.complex64),
        "flag": torch.tensor(True),
        "number": torch.tensor(7),
    }


def described(values: dict[str, object]) -> dict[str, object]:
    """What PyTorch itself says of the tensors."""
    return {
        name: [str(value.dtype).removeprefix("torch."), list(value.shape)]
        for name, value in values.items()
        if isinstance(value, torch.Tensor)
    }


def main() -> None:
    torch.manual_seed(0)
    net = Net()
    state = net.state_dict()
    torch.save(state, HERE / "state.pt")
    torch.save(state, HERE / "state_legacy.pt", _use_new_zipfile_serialization=False)
    torch.save({"epoch": 3, "model": state}, HERE / "nested.pt")
    torch.save(net, HERE / "module.pt")
    torch.save(views(), HERE / "views.pt")
    torch.save(
        {k: v for k, v in views().items() if k != "unsigned"},
        HERE / "views_legacy.pt",
        _use_new_zipfile_serialization=False,
    )
    optimizer = torch.optim.Adam(net.parameters())
    net(torch.zeros(2, 4)).sum().backward()
    optimizer.step()
    torch.save(optimizer.state_dict(), HERE / "optimizer.pt")
    torch.jit.script(net.eval()).save(HERE / "script.pt")
    told = {"state": described(state), "views": described(views())}
    (HERE / "told.json").write_text(json.dumps(told, indent=1) + "\n")


if __name__ == "__main__":
    sys.modules["net"] = sys.modules["__main__"]
    Net.__module__ = "net"
    main()
