import pytest

from uml_core.client.event import LIMIT_BYTES, Event, EventReader
from uml_core.errors import InternalServerError

STREAM = (
    b': ping\n\nid: 7\nevent: job\ndata: {"a":\ndata: 1}\n\r\n'
    b'event:queue\r\ndata:{"length": 2}\r\n\r\nid: x\n\ndata: 3\n\n: ping\n\n'
)


@pytest.mark.parametrize("size", [1, 2, 7, len(STREAM)])
def test_events_come_whole_however_the_bytes_are_cut(size):
    reader = EventReader()
    events = [event for at in range(0, len(STREAM), size) for event in reader.feed(STREAM[at : at + size])]
    assert events == [
        Event(id=7, kind="job", data={"a": 1}),
        Event(id=7, kind="queue", data={"length": 2}),  # the id stays until there is another one
        Event(id=None, kind="message", data={"value": 3}),
    ]


@pytest.mark.parametrize("data", [b"data: {oops\n\n", b"x" * (LIMIT_BYTES + 1)])
def test_what_is_no_event_stream_is_an_error(data):
    with pytest.raises(InternalServerError):
        list(EventReader().feed(data))
