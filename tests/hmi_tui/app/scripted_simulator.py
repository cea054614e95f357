"""A program that behaves as `hmi load --live` does, twenty times as fast and without an engine.

Its last argument says how it goes: "well" ends by itself when its --duration has gone in lines,
"endless" is until it is told to stop, "badly" fails at once with words on stderr.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

LINE_S = 0.05
P99_S = 0.02


def say(kind: str, **more: Any) -> None:
    print(json.dumps({"object": kind, **more}), flush=True)


def progress(at: int, rate: float, sent: float) -> None:
    say(
        "progress",
        at_s=float(at),
        rate=rate,
        offered_per_s=rate,
        answered_per_s=rate - 1,
        errors_per_s=1.0,
        p50_s=0.008,
        p99_s=P99_S,
        hit_rate=0.71,
        tiers={"device": 6, "host": 3, "disk": 1},
        late_p99_s=0.001,
        sent=round(sent),
        answered=round(sent) - at,
        failed=at,
        in_flight=0,
    )


def report(at: int, sent: float, p99_s: float, early: bool) -> None:
    say(
        "report",
        seconds=float(at),
        vplms=121,
        tenants=10,
        sent=round(sent),
        answered=round(sent) - at,
        errors={"queue_full": at} if at else {},
        offered_per_s=sent / max(1, at),
        answered_per_s=sent / max(1, at) - 1,
        goodput={"slo_s": 0.25, "share": 0.93, "per_s": 18.0},
        latency_s={"p50": 0.008, "p90": 0.012, "p99": p99_s, "p99_9": 2 * p99_s},
        mean_latency_s=0.009,
        hit_rate=0.71,
        batch_size=4.2,
        tiers={"device": 60, "host": 30, "disk": 10},
        sender_late_p99_s=0.001,
        ended_early=early,
    )


def main() -> None:
    rate, duration, how = float(sys.argv[1]), float(sys.argv[2]), sys.argv[3]
    if how == "badly":
        sys.stderr.write("hmi load: There is no vPLM to ask. Make some with hmi vplm create.\n")
        sys.exit(4)
    say("begun", vplms=121, tenants=10)
    at, sent, p99 = 0, 0.0, P99_S * rate / 20
    while how == "endless" or at < duration:
        if select.select([0], [], [], LINE_S)[0]:
            words = os.read(0, 4096).decode().split()
            if not words or words[-1] == "stop":
                report(at, sent, p99, early=True)
                return
            rate = float(words[-1])
        at, sent = at + 1, sent + rate
        progress(at, rate, sent)
    report(at, sent, p99, early=False)


if __name__ == "__main__":
    main()
