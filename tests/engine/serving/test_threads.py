from __future__ import annotations

import pytest
import torch

from engine.serving.threads import ThreadShare

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(
    ("given", "cores", "overlap", "device", "workers", "each"),
    [
        (0, 1, True, CPU, 1, 1),
        (0, 2, True, CPU, 2, 1),
        (2, 2, True, CPU, 2, 1),
        (0, 16, True, CPU, 4, 4),
        (16, 4, True, CPU, 4, 4),
        (0, 16, False, CPU, 1, 16),
        (0, 16, True, CUDA, 1, 16),
    ],
    ids=[
        *("one core", "two cores", "as told", "many cores", "more than there are"),
        *("in turn", "beside a device"),
    ],
)
def test_cores_are_divided_between_a_few_workers(
    given: int, cores: int, overlap: bool, device: torch.device, workers: int, each: int
) -> None:
    share = ThreadShare.divided(given, cores, overlap=overlap, device=device)
    assert (share.workers, share.current) == (workers, each)


def test_a_single_team_gives_up_half_its_threads_while_a_job_runs() -> None:
    share = ThreadShare(8)
    with share.beside_serving():
        assert share.current == 4
    assert share.current == 8


def test_several_teams_keep_their_size_beside_a_job() -> None:
    share = ThreadShare(8, workers=4)
    with share.beside_serving():
        assert share.current == 2
    assert share.current == 2
