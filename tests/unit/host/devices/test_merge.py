from __future__ import annotations

from uml_core.host.devices.answer import Answer
from uml_core.host.devices.merge import merged
from uml_core.types import Device, Holder

A = Device(
    id="cuda:0", kind="cuda", index=0, name="A", uuid="GPU-8f3a0000-1111-2222-3333-444455556666", bus="0000:65:00.0",
    holders=(Holder(pid=1, name="a", held_bytes=2),),
)  # fmt: skip


def vulkan(index, name, **facts):
    return Device(id=f"vulkan:{index}", kind="vulkan", index=index, name=name, **facts)


def ids(*answers):
    return [device.id for device in merged(answers).devices]


def test_an_answer_survives_its_line():
    answer = Answer(source="cuda", devices=(A,), problem="half")
    assert Answer.of_line(answer.to_line()) == answer


def test_what_vulkan_sees_again_is_listed_once():
    by_uuid = vulkan(0, "the same", uuid="8f3a0000111122223333444455556666")
    by_bus = vulkan(1, "the same", uuid="00" * 16, bus="0000:65:00.0")
    other = vulkan(2, "another", uuid="01" * 16, bus="0000:00:02.0")
    found = Answer(source="vulkan", devices=(by_uuid, by_bus, other))
    assert ids(found, Answer(source="cuda", devices=(A,))) == ["cuda:0", "vulkan:2"]


def test_the_parts_of_one_device_share_its_address_and_are_all_kept():
    parts = tuple(
        Device(id=f"cuda:{index}", kind="cuda", index=index, name="part", uuid=f"MIG-{index}", bus=A.bus)
        for index in range(2)
    )
    seen = Answer(source="vulkan", devices=(vulkan(0, "whole", bus=A.bus),))
    assert ids(Answer(source="cuda", devices=parts), seen) == ["cuda:0", "cuda:1"]


def test_a_plugin_knows_better():
    mine = Device(id="cuda:0", kind="cuda", index=0, name="as the plugin says")
    found = merged([Answer(source="cuda", devices=(A,)), Answer(source="plugin:mine", devices=(mine,))])
    assert [device.name for device in found.devices] == ["as the plugin says"]


def test_the_order_and_the_problems():
    found = merged(
        [
            Answer(source="vulkan", problem="no loader"),
            Answer(source="plugin:mine", devices=(vulkan(3, "x"), vulkan(1, "y"))),
            Answer(source="cuda", devices=(A,)),
        ]
    )
    assert [device.id for device in found.devices] == ["cuda:0", "vulkan:1", "vulkan:3"]
    assert found.problems == ("no loader",)


def test_each_has_something_to_be_known_by():
    found = merged([Answer(source="rocm", devices=(Device(id="rocm:0", kind="rocm", index=0, name="x", bus="b"),))])
    assert found.devices[0].uuid == "b"
