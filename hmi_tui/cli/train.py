"""`hmi train`: a vPLM learns from a dataset."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from hmi_tui.cli.grammar import Leaf, connect, flag, say
from hmi_tui.cli.output import percent, readable, record, show
from hmi_tui.figures import NOTHING, many, seconds

if TYPE_CHECKING:
    from engine.schema import Job
    from hmi_tui.hyperparameters import Hyperparameter


class Trained(Leaf):
    """Takes every hyperparameter of the API's request, which is read when it is first needed."""

    def get_params(self, ctx: click.Context) -> list[click.Parameter]:
        from hmi_tui.hyperparameters import hyperparameters

        known = {param.name for param in self.params}
        self.params += [_option(one) for one in hyperparameters() if one.name not in known]
        return super().get_params(ctx)


def _option(one: Hyperparameter) -> click.Option:
    name = f"--{one.name.replace('_', '-')}"
    about = one.about
    if one.kind is not bool and one.shown:
        about = f"{about.removesuffix('.')} ({one.shown})."
    if one.kind is bool:
        return click.Option([name], is_flag=True, help=about, show_envvar=True)
    kind = click.Choice(one.options) if one.options else one.kind
    return click.Option([name], type=kind, help=about, show_envvar=True)


@click.command(cls=Trained)
@click.argument("id", metavar="TENANT/NAME")
@click.argument("data", type=click.Path(path_type=Path))
@flag("--text", default="text", show_default=True, metavar="COL", help="The column with the text.")
@flag("--label", default="label", show_default=True, metavar="COL", help="The one with the label.")
@flag("--text-pair", default="text_pair", show_default=True, metavar="COL", help="The second text.")
@flag("--map", "maps", multiple=True, metavar="OLD=NEW", help="Call a label otherwise; repeatable.")
@flag("--watch", "watching", is_flag=True, help="Show progress until it ends.")
@readable
def train(
    id: str,
    data: Path,
    text: str,
    label: str,
    text_pair: str,
    maps: tuple[str, ...],
    watching: bool,
    **choices: object,
) -> None:
    """Train a vPLM on a dataset.

    DATA is a .jsonl or .csv file, or either with .gz, with the columns that the vPLM's task needs:
    a label; labels, as a list or in CSV with | between them; two texts and a label; spans, or words
    and tags; numbers. A generator learns a text, or a prompt and a completion, a row, or a .txt
    file by its paragraphs, by its lines where no blank one parts them. Prints the job's id; with
    --watch the trained version, when it serves.
    """
    from engine.schema import TrainRequest
    from hmi_tui.cli.requests import build, check_readable, split_id
    from hmi_tui.cli.watch import curve, watch
    from hmi_tui.label_map import label_map

    tenant, name = split_id(id)
    request = build(TrainRequest, vplm=id, dataset=name, **choices)
    names = label_map(maps)
    check_readable(data)
    with connect() as client:
        task = client.vplm(id).task
        # The dataset is named after the vPLM: two trainings of one tenant do not share a file.
        receipt = client.put_dataset(tenant, name, data, text, label, task, text_pair, names)
        labels = "" if task == "generate" else f", {len(receipt.labels)} labels"
        say(f"{many(receipt.rows, 'row')}{labels}")
        accepted = client.train(request)
        if not watching:
            show(accepted, [accepted.id], lambda: accepted.id)
            return
        job = watch(client, accepted.id)
        trained = client.vplm(id)
    took = (job.finished_at or 0.0) - (job.started_at or 0.0)
    pairs = [
        ("vPLM", trained.id),
        ("version", str(trained.version)),
        ("published", "yes" if job.result.get("published", True) else "no: it would be worse"),
        (job.measure, curve(job)[-1] if job.accuracy else NOTHING),
        ("before", _before(job)),
        ("took", seconds(took)),
        ("job", job.id),
    ]
    show(job, [job.id], lambda: record(pairs))


def _before(job: Job) -> str:
    before = job.result.get("before")
    return f"{1 / before:.2f}" if before and job.perplexity else percent(before)
