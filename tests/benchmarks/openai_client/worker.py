"""The official client in an environment of its own: a line of JSON for each thing it tried.

Run with that environment's Python from the project's folder; of the project it imports its own
checks alone. The order, a JSON object on stdin, has the address and the keys.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

from tests.benchmarks.openai_client import answers, refusals
from tests.benchmarks.openai_client.world import World, openai

CHECKS: list[Callable[[World], None]] = [
    answers.a_completion,
    answers.everything_it_can_say_at_once,
    answers.nothing_but_none,
    answers.prompts_of_token_ids,
    answers.log_probabilities,
    answers.a_stream,
    answers.a_stream_with_usage_and_several_texts,
    answers.stop_strings,
    answers.one_seed_one_text,
    answers.the_client_that_awaits,
    answers.models,
    answers.embeddings,
    refusals.a_wrong_key,
    refusals.anothers_model_is_not_there,
    refusals.a_classifier_asked_to_go_on,
    refusals.values_out_of_range,
    refusals.a_prompt_longer_than_the_context,
    refusals.a_stream_that_is_refused_has_a_status,
    refusals.who_closes_a_stream_frees_its_texts,
    refusals.who_will_not_wait_frees_its_texts,
]


def main() -> None:
    order = json.load(sys.stdin)
    url = order["url"]

    def client(key: str, **more: Any) -> Any:
        return openai.OpenAI(base_url=url, api_key=order[key], max_retries=0, timeout=60.0, **more)

    world = World(
        url,
        client("acme", _strict_response_validation=True),
        client("acme"),
        client("operator"),
    )
    print(json.dumps({"version": openai.__version__}), flush=True)
    for check in CHECKS:
        wrong = None
        try:
            check(world)
        except (openai.OpenAIError, AssertionError, LookupError, AttributeError) as error:
            wrong = f"{type(error).__name__}: {error}"
        what = check.__name__.replace("_", " ")
        print(json.dumps({"what": what, "wrong": wrong}), flush=True)


if __name__ == "__main__":
    main()
