"""A job from outside until its end: by its event stream, and by asking where that breaks."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from attrs import frozen

from uml_core.client.event import Event
from uml_core.client.failure import name_of
from uml_core.errors import NotFoundError, UMLError, UnavailableError

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.05, 1.0
"""Between two looks at a job whose stream does not come; it doubles from the one to the other."""

KINDS = frozenset({"job", "scan"})
"""The events that tell of jobs."""

View = Mapping[str, Any]


@frozen(kw_only=True)
class Followed:
    """One job and the two ways to look at it.

    :param look: gives its view now
    :param listen: opens its event stream behind the event with that id
    """

    look: Callable[[], View]
    listen: Callable[[int | None], Iterator[Event]]

    def changes(self, job: View) -> Iterator[View]:
        """Its view each time that it changed, *job* first, the one of its end last.

        A stream that breaks is taken up again behind what came last; whatever it was that it missed, asking tells it.

        :param job: the view that is known
        :raises UnavailableError: the gateway has gone, and the job with it
        """
        yield job
        last_id, pause_s = None, FIRST_PAUSE_S
        while not job["finished"]:
            for event, view in self._streamed(job["id"], last_id):
                last_id, pause_s = event.id, FIRST_PAUSE_S
                if view != job:
                    yield (job := view)
            if job["finished"]:
                return
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
            if (view := self._asked(job)) != job:
                yield (job := view)

    def _streamed(self, job_id: str, last_id: int | None) -> Iterator[tuple[Event, View]]:
        """The views that the stream tells, until it ends or breaks: why it did is of no interest, asking follows."""
        try:
            for event in self.listen(last_id):
                if event.kind in KINDS and event.data.get("id") == job_id:
                    yield event, event.data
                    if event.data["finished"]:
                        return
        except UMLError:
            return

    def _asked(self, job: View) -> View:
        try:
            return self.look()
        except NotFoundError as error:
            raise UnavailableError(
                f"the gateway does not know {name_of(job)} any more, so it was started anew meanwhile; "
                "`uml ps` shows what is loaded now"
            ) from error
        except UnavailableError as error:
            raise UnavailableError(
                f"the gateway ended during {name_of(job)}, and took it along ({error.message.partition(';')[0]}); "
                "start it again with `uml serve`"
            ) from error
