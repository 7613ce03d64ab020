"""What of a run of chaos keeps the promises, and what breaks them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from attrs import frozen

from proving.chaos import Phase, Seen
from proving.client import Outcome, Told
from proving.figures import least_availability, percentile

TARGET = 0.999


@frozen(kw_only=True)
class Count:
    """The requests of a phase. ``apart`` broke with a gateway's own end, or met nobody; ``cut`` had begun.

    ``asked`` are all others, and ``failed`` those of them that did not get their whole answer.
    """

    asked: int
    failed: int
    cut: int
    apart: int
    unreached: int
    silent: int
    wrong: int
    broken: int
    attempts: Mapping[int, int]
    codes: Mapping[str, int]
    recovery_s: Sequence[float]

    @property
    def availability(self) -> float:
        return 1 - self.failed / self.asked if self.asked else 0.0

    @property
    def surely(self) -> float:
        """What of that can be claimed with 95 % confidence."""
        return least_availability(self.failed, self.asked)

    def recovered(self, part: float) -> float:
        return percentile(self.recovery_s, part)


def count(*phases: Phase) -> Count:
    """Count what happened in *phases* together."""
    told = [one for phase in phases for one in phase.told]
    strikes = [strike for phase in phases for strike in phase.strikes]
    apart = [one for one in told if _is_broken(one) and any(strike.covers(one) for strike in strikes)]
    cut = [one for one in told if one.outcome is Outcome.CUT]
    asked = [one for one in told if one not in set(apart) | set(cut)]
    failed = [one for one in asked if one.outcome is not Outcome.WHOLE]
    return Count(
        asked=len(asked),
        failed=len(failed),
        cut=len(cut),
        apart=len(apart),
        unreached=sum(1 for one in apart if one.status is None and one.code == "ConnectError"),
        silent=sum(1 for one in told if one.outcome is Outcome.SILENT),
        wrong=sum(1 for one in told if one.outcome is Outcome.WRONG),
        broken=sum(1 for one in asked if _is_broken(one)),
        attempts=Counter(one.attempts for one in asked),
        codes=Counter(one.code or "" for one in [*failed, *cut]),
        recovery_s=[strike.recovery_s for strike in strikes if strike.recovery_s is not None],
    )


def _is_broken(told: Told) -> bool:
    return told.outcome is Outcome.BROKEN


def broken_promises(seen: Seen) -> list[str]:
    """What must not have happened and did, a sentence each; empty when all is well."""
    both = count(seen.workers, seen.gateways)
    strikes = [*seen.workers.strikes, *seen.gateways.strikes]
    told = [*seen.workers.told, *seen.gateways.told]
    lost = [strike for strike in strikes if strike.recovered_s is None and not strike.overtaken]
    ghosts = sum(1 for one in told if any(strike.outlived_by(one) for strike in strikes))
    found = {
        f"availability is {both.availability:.3%}, less than {TARGET:.1%}": both.availability < TARGET,
        f"{both.silent} streams ended as if they were whole": both.silent,
        f"{both.wrong} whole answers are not the known ones": both.wrong,
        f"{both.broken} connections broke although the gateway lived": both.broken,
        f"{sum(len(strike.orphans) for strike in strikes)} processes outlived a kill by 2 s": any(
            strike.orphans for strike in strikes
        ),
        f"after {len(lost)} kills nobody got an answer any more": lost,
        f"{ghosts} answers came from workers that had been killed before": ghosts,
        f"{seen.rows.missing} accepted requests have no row": seen.rows.missing,
        f"{seen.rows.double} requests have more than one row": seen.rows.double,
        f"{seen.rows.open} rows have no end": seen.rows.open,
        f"{seen.rows.untrue} rows say otherwise than the client": seen.rows.untrue,
        f"SIGTERM ended the gateway with code {seen.exit_code}": seen.exit_code,
    }
    return [sentence for sentence, is_so in found.items() if is_so]
