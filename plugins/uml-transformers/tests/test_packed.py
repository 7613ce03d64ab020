"""All sequences in one call of a kernel: the layout that it's given, with a kernel of plain torch in its place."""

import random

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("transformers")
pytestmark = pytest.mark.engine

CONTEXT, SLOTS, HEADS, SHARED, LENGTH = 32, 4, 4, 2, 8


def plain(query, keys, values, *, begins, bases, held, longest, kind):
    """What flash attention says that it does."""
    from uml_transformers.attention import explicit

    found = torch.full_like(query, float("nan"))
    assert longest[0] >= max(begins.diff())
    assert longest[1] >= max(held)
    for at in range(len(held)):
        first, last, base, count = int(begins[at]), int(begins[at + 1]), int(bases[at]), int(held[at])
        places = torch.arange(count)
        asked = torch.arange(count - (last - first), count)[:, None]
        mask = places <= asked
        if kind.window:
            mask = mask & (places > asked - kind.window)
        parts = (part[base : base + count].transpose(0, 1)[None] for part in (keys, values))
        seen = explicit(query[first:last].transpose(0, 1)[None], *parts, mask, kind)
        found[first:last] = seen[0].transpose(0, 1)
    return found


@pytest.fixture
def kernel(monkeypatch):
    monkeypatch.setattr("uml_transformers.packed.flash", plain)


def drawn(tokens, heads):
    return torch.randn((1, heads, tokens, LENGTH))


def inputs(tokens):
    return drawn(tokens, HEADS), drawn(tokens, SHARED), drawn(tokens, SHARED)


def caches():
    from uml_transformers.attention import SlotCache
    from uml_transformers.packed import PackedCache

    _, key, value = inputs(1)
    return [cache(key, value, slots=SLOTS, context=CONTEXT) for cache in (PackedCache, SlotCache)]


@pytest.mark.parametrize("window", [None, 5])
@pytest.mark.parametrize("seed", range(4))
def test_as_sequence_by_sequence(kernel, seed, window):
    from uml_transformers.attention import Kind
    from uml_transformers.step import Step

    draw, both, held = random.Random(seed), caches(), [0] * SLOTS
    torch.manual_seed(seed)
    for _ in range(8):
        spans = []
        for slot in draw.sample(range(SLOTS), draw.randint(1, SLOTS)):
            count = min(draw.choice((1, 1, 4, 9)), CONTEXT - held[slot])
            if count:
                spans.append((slot, held[slot], held[slot] + count))
                held[slot] += count
        if spans:
            step = Step.of_spans(spans, CONTEXT)
            parts = inputs(sum(end - start for _, start, end in spans))
            one, other = (cache.attend(*parts, step, Kind(window=window)) for cache in both)
            torch.testing.assert_close(one, other)
    if held[0]:
        for cache in both:
            cache.copy(0, 1, held[0])
        step = Step.of_spans([(1, held[0] - 1, held[0])], CONTEXT)
        one, other = (cache.attend(*parts, step, Kind(window=window)) for parts in [inputs(1)] for cache in both)
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_step_of_fixed_size_fills_up_with_tokens_of_no_slot(kernel, count):
    from uml_transformers.attention import Kind
    from uml_transformers.graphs import FixedStep
    from uml_transformers.step import Step

    torch.manual_seed(1)
    packed, slots = caches()
    start = Step.of_spans([(slot, 0, 6 + slot) for slot in range(SLOTS)], CONTEXT)
    parts = inputs(sum(6 + slot for slot in range(SLOTS)))
    for cache in (packed, slots):
        cache.attend(*parts, start, Kind())
    before = packed.keys[:-1].clone()
    step = Step.of_spans([(slot, 6 + slot, 7 + slot) for slot in (2, 0, 3)[:count]], CONTEXT)
    fixed = FixedStep(4, CONTEXT, SLOTS * CONTEXT, torch.device("cpu"))
    fixed.fill(step, [50 + at for at in range(count)])
    query, key, value = inputs(4)
    found = packed.attend(query, key, value, fixed, Kind())
    expected = slots.attend(query[:, :, :count], key[:, :, :count], value[:, :, :count], step, Kind())
    torch.testing.assert_close(found[:, :count], expected)
    assert not found.isnan().any()
    assert fixed.ids.tolist() == [[50 + at for at in range(count)] + [0] * (4 - count)]
    assert fixed.position_ids.tolist() == [[8, 6, 9][:count] + [0] * (4 - count)]
    changed = (packed.keys[:-1] != before).any(-1).any(-1).nonzero()[:, 0].tolist()
    assert sorted(changed) == sorted(slot * CONTEXT + 6 + slot for slot in (2, 0, 3)[:count])


def test_the_kernel_takes_what_it_is_given():
    """The operator is not public: torch's own description of it is asked, by tensors without numbers."""
    from uml_transformers.attention import Kind
    from uml_transformers.packed import flash

    def made(*shape, dtype=torch.bfloat16):
        return torch.empty(shape, dtype=dtype, device="meta")

    numbers = {"begins": made(4, dtype=torch.int32), "bases": made(4, dtype=torch.int32)}
    for window in (None, 8):
        found = flash(
            made(9, HEADS, LENGTH),
            made(99, SHARED, LENGTH),
            made(99, SHARED, LENGTH),
            **numbers,
            held=made(3, dtype=torch.int32),
            longest=(5, 20),
            kind=Kind(scale=0.3, window=window),
        )
        assert found.shape == (9, HEADS, LENGTH)


@pytest.mark.parametrize(
    ("slots", "sizes"), [(1, [1]), (4, [1, 2, 4]), (6, [1, 2, 4, 6]), (40, [1, 2, 4, 8, 16, 32, 40])]
)
def test_sizes_of_graphs(slots, sizes):
    from uml_transformers.graphs import sizes as found

    assert sorted(found(slots)) == sizes
