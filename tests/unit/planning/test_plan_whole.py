"""Models that read whole texts are planned with a batch that holds one."""

import pytest

from uml_core.types import Level, LoadRequest, Match

TASKS = ("text-generation", "feature-extraction")


@pytest.mark.parametrize(
    ("task", "said", "batch"),
    [
        ("feature-extraction", None, 4096),
        ("feature-extraction", 1024, 1024),
        ("feature-extraction", 128, 512),
        ("text-generation", None, 512),
    ],
)
def test_the_batch_is_the_context(setup, backend, task, said, batch):
    one = backend("mine", Match(Level.NATIVE, "reads GGUF", tasks=(task,)), tasks=TASKS)
    plan = setup.planner(one).plan(LoadRequest(model="Tiny", context_length=said))
    assert plan.tasks == (task,)
    assert plan.placement.batch == batch
