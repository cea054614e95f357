"""Training one vPLM: its adapter and head learn, everything else is frozen."""

from __future__ import annotations

from collections.abc import Callable

from engine.errors import Cancelled
from engine.knowledge.retrieve import Knowledge
from engine.model.adapters import AdapterWeights
from engine.model.backbone import Backbone
from engine.training.group import Group
from engine.training.head_start import head_start
from engine.training.learner import Learner
from engine.training.plan import TrainPlan
from engine.training.report import TrainReport
from engine.training.tasks.task import Task

__all__ = ["TrainPlan", "TrainReport", "train"]


def train(
    backbone: Backbone,
    knowledge: Knowledge,
    start: AdapterWeights,
    task: Task,
    plan: TrainPlan,
    report: TrainReport,
    tick: Callable[[], None],
    cancelled: Callable[[], bool],
) -> AdapterWeights:
    """Train on the rows of `task`; a tenth of each of its groups is held out.

    Texts are seen as serving in the plan's mode sees them. `tick` is called whenever `report` has
    news. Raises Cancelled, or BadInput if the loss explodes.
    """

    def check() -> None:
        if cancelled():
            raise Cancelled("The job was cancelled; the vPLM goes on as it was.")

    learner = Learner(backbone, knowledge, task, plan, report, tick, check)
    group = Group(backbone, [learner], [head_start(backbone, learner, start)])
    while not learner.ended:
        check()
        group.step([learner])
        if learner in group.failed:
            raise group.failed[learner]
        if learner.due:
            learner.judge(group.evaluate(learner, learner.rounded()))
    return learner.outcome()
