"""The text layer around a model of dice, run by `serve`; ``options`` are those of `uml_core.testing.dice.Dice`."""

import time

from uml_core.testing.dice import Dice, dice_tokenizer
from uml_core.worker import serve
from uml_core.worker.text import TextEngine


class SlowDice(Dice):
    def forward(self, rows, cancelled):
        time.sleep(0.002)
        return super().forward(rows, cancelled)


def load(plan, progress):
    progress(0.0)
    return TextEngine(SlowDice(dice_tokenizer(), context_length=plan.context_length, **plan.options), plan)


if __name__ == "__main__":
    serve(load)
