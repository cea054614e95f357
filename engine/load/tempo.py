"""How fast a plan is gone through: a rate that is changed while the run lasts."""

from __future__ import annotations

from bisect import bisect_right


class Tempo:
    """Maps the plan's instants to the run's, both in seconds after the start.

    At speed s the plan's next second takes 1/s of the run's. The arrivals stay the ones that were
    drawn in advance, closer together or further apart (for a Poisson process a change of clock
    gives the Poisson process of the other rate), so that no answer can move a request: the loop
    stays open. What was due before a change stays due when it was.
    """

    def __init__(self) -> None:
        self._plan = [0.0]
        self._run = [0.0]
        self._speed = [1.0]

    @property
    def speed(self) -> float:
        return self._speed[-1]

    def due(self, at: float) -> float:
        """When what the plan has `at` that instant is due."""
        index = bisect_right(self._plan, at) - 1
        return self._run[index] + (at - self._plan[index]) / self._speed[index]

    def change(self, speed: float, now: float) -> None:
        """Go on at `speed` times the plan's own pace from `now` on, an instant of the run."""
        self._plan.append(self._plan[-1] + (now - self._run[-1]) * self._speed[-1])
        self._run.append(now)
        self._speed.append(speed)
