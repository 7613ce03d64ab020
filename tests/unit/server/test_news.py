"""What the database tells, on its way to the listeners."""

from __future__ import annotations

import asyncio

from uml_core.server.news import StorageNews
from uml_core.supervisor.events import Events


async def test_news_come_from_another_thread_as_events():
    news = StorageNews()
    await asyncio.to_thread(news, "migrated", {"to": "1"})
    await asyncio.sleep(0)
    news.events = Events()
    subscription = news.events.subscribe()
    event = asyncio.ensure_future(anext(subscription))
    await asyncio.sleep(0)
    await asyncio.to_thread(news, "degraded", {"reason": "the disk is full"})
    told = await event
    assert (told.kind, told.data) == ("storage", {"state": "degraded", "reason": "the disk is full"})
    await subscription.aclose()


def test_the_last_news_may_come_after_the_end():
    async def made():
        return StorageNews()

    asyncio.run(made())("recovered", {})


async def test_whoever_remembers_the_rows_puts_them_into_a_new_database_before_anything_else():
    news, told = StorageNews(), []
    news.on_new = lambda: told.append("new")
    await asyncio.to_thread(news, "degraded", {})
    assert told == []
    await asyncio.to_thread(news, "corrupt", {"kept": "elsewhere"})
    assert told == ["new"]
