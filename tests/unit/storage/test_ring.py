from hypothesis import given
from hypothesis import strategies as st

from uml_core.storage.ring import Ring


def filled(count, limit=100):
    ring = Ring(limit)
    for number in range(count):
        ring.put(b"%d" % number)
    return ring


def test_first_in_first_out():
    ring = filled(3)
    assert ring.take(2) == [b"0", b"1"]
    ring.settle()
    assert ring.take(2) == [b"2"]
    ring.settle()
    assert ring.take(2) == []
    assert (ring.oldest, ring.next, ring.dropped) == (3, 3, 0)


def test_put_says_how_many_wait():
    ring = Ring(2)
    assert [ring.put(b"x") for _ in range(4)] == [1, 2, 2, 2]


def test_a_full_ring_drops_the_oldest():
    ring = filled(5, limit=3)
    assert ring.dropped == 2
    assert ring.take(9) == [b"2", b"3", b"4"]


def test_a_batch_in_hand_is_not_settled():
    ring = filled(4)
    ring.take(2)
    assert (len(ring), ring.oldest) == (2, 0)
    ring.give_back()
    assert ring.take(9) == [b"0", b"1", b"2", b"3"]


def test_what_is_given_back_to_a_full_ring_loses_its_oldest():
    ring = filled(3, limit=3)
    ring.take(2)
    ring.put(b"3")
    ring.give_back()
    assert ring.dropped == 1
    assert ring.take(9) == [b"1", b"2", b"3"]


def test_a_lower_limit_holds_from_the_next_line_on():
    ring = filled(10)
    ring.limit = 3
    ring.put(b"10")
    assert (ring.take(9), ring.dropped) == ([b"8", b"9", b"10"], 8)


def test_clearing_counts():
    ring = filled(4)
    ring.clear()
    assert (len(ring), ring.dropped, ring.oldest, ring.next) == (0, 4, 4, 4)


@given(st.lists(st.sampled_from(["put", "take", "settle", "give_back"])), st.integers(1, 5))
def test_nothing_is_lost_without_being_counted(steps, limit):
    """Each line is in the ring, in hand, settled or counted; and those that are settled are in order."""
    ring, settled, hand, put = Ring(limit), [], [], 0
    for step in steps:
        if step == "put":
            ring.put(b"%d" % put)
            put += 1
        elif step == "take" and not hand:
            hand = list(ring.take(2))
        elif step == "settle":
            settled, hand = [*settled, *hand], []
            ring.settle()
        elif step == "give_back":
            ring.give_back()
            hand = []
        assert put == len(settled) + len(hand) + len(ring) + ring.dropped
        assert ring.next - ring.oldest == len(ring) + len(hand)
    assert settled == sorted(settled, key=int)
