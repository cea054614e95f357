"""Composes the demo's texts from the grammars beside this file.

Run as ``python assets/demo/compose.py``; the README in this folder describes the files. The same
seed and grammars give the same bytes on every machine, so the committed files can be checked.
"""

import argparse
import json
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from itertools import accumulate
from pathlib import Path
from random import Random

HERE = Path(__file__).resolve().parent
SEED = 7
LABELS = ("refund", "delivery", "account", "technical", "praise")
TRAIN_ROWS = 1600
TEST_ROWS = 300
# How often a ticket is of each kind; "unseen" wordings are kept for the test rows alone.
TRAIN_KINDS = {"plain": 60, "short": 12, "mixed": 14, "decoy": 14}
TEST_KINDS = {"plain": 42, "short": 10, "mixed": 16, "decoy": 14, "unseen": 18}

SLOT = re.compile(r"\{(=?)([a-z_]+)\}")
HEADING = re.compile(r"\[([a-z_]+)\]")
SENTENCE_START = re.compile(r"(^|[.?!] )([a-z])")
# "a" before a vowel letter becomes "an", but not before the sounds of "union" or "one".
ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])(?!(?:uni|use|usu|uri|eu|one\b|once\b))")


@dataclass(frozen=True, slots=True)
class Corpus:
    """One domain of the demo: its text is `lines` documents, one a line."""

    domain: str
    parent: str | None
    grammars: tuple[str, ...]
    lines: int

    @property
    def file(self) -> str:
        return f"{self.domain}.txt"


CORPORA = (
    Corpus("general", None, ("words", "general", "world"), 2500),
    Corpus("support", "general", ("words", "intents", "support"), 2500),
    Corpus("billing", "support", ("words", "billing"), 1500),
    Corpus("clinic", "general", ("words", "clinic"), 2000),
)


@dataclass(slots=True)
class Rule:
    """The alternatives of one rule; earlier ones are commoner, as words are in real text."""

    alternatives: list[str] = field(default_factory=list)

    def pick(self, rng: Random) -> str:
        weights = accumulate((place + 3) ** -0.5 for place in range(len(self.alternatives)))
        return rng.choices(self.alternatives, cum_weights=list(weights))[0]


class Grammar:
    """Phrase rules read from grammar files.

    A ``[name]`` line starts a rule; each further line holds alternatives separated by `` | ``.
    ``{name}`` stands for any phrase of that rule, ``{=name}`` for the same one throughout a text.
    Lines that start with ``#`` are remarks.
    """

    def __init__(self, names: Sequence[str], folder: Path = HERE / "grammars") -> None:
        self._rules: dict[str, Rule] = {}
        for name in names:
            self._read(folder / f"{name}.txt")
        self._check()

    def _read(self, path: Path) -> None:
        rule: Rule | None = None
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line or line.startswith("#"):
                continue
            if heading := HEADING.fullmatch(line):
                if heading[1] in self._rules:
                    raise ValueError(f"{path.name}: the rule [{heading[1]}] exists already.")
                rule = self._rules[heading[1]] = Rule()
            elif rule is None:
                raise ValueError(f"{path.name}: {line!r} stands before the first [rule].")
            else:
                rule.alternatives.extend(line.split(" | "))

    def _check(self) -> None:
        for name, rule in self._rules.items():
            if not rule.alternatives:
                raise ValueError(f"The rule [{name}] has no alternatives; write one below it.")
            for _, slot in SLOT.findall(" ".join(rule.alternatives)):
                if slot not in self._rules:
                    raise ValueError(f"The rule [{name}] uses [{slot}], which no grammar has.")

    def text(self, template: str, rng: Random) -> str:
        """One finished text of `template`: slots filled, articles and capitals put right."""
        filled = self._fill(template, rng, {})
        filled = ARTICLE.sub(r"\1n ", filled)
        return SENTENCE_START.sub(lambda start: start[1] + start[2].upper(), filled)

    def _fill(self, template: str, rng: Random, kept: dict[str, str]) -> str:
        def phrase(slot: re.Match[str]) -> str:
            keep, name = slot[1], slot[2]
            if keep and name in kept:
                return kept[name]
            words = self._fill(self._rules[name].pick(rng), rng, kept)
            if keep:
                kept[name] = words
            return words

        return SLOT.sub(phrase, template)


def fresh(make: Callable[[], str], taken: set[str]) -> str:
    """The first text of `make` that is not in `taken` (letter case ignored), which it joins."""
    for _ in range(1000):
        text = make()
        if text.lower() not in taken:
            taken.add(text.lower())
            return text
    raise ValueError("The grammar is exhausted; give it more alternatives or ask for fewer texts.")


def documents(corpus: Corpus, seed: int, taken: set[str]) -> list[str]:
    grammar = Grammar(corpus.grammars)
    rng = Random(f"{seed}/{corpus.domain}")
    return [fresh(partial(grammar.text, "{document}", rng), taken) for _ in range(corpus.lines)]


def ticket(grammar: Grammar, label: str, kind: str, rng: Random) -> str:
    """One ticket of `label`. A mixed one asks for two things; the first one named is its label.

    Praise asks for nothing, so it is never mixed: a customer who praises and then asks, asks.
    """
    if label == "praise" and kind == "mixed":
        kind = "decoy"
    if kind != "mixed":
        return grammar.text(f"{{{label}_{kind}}}", rng)
    other = rng.choice([name for name in LABELS if name not in (label, "praise")])
    return grammar.text(f"{{{label}_plain}} {{mixed_link}} {{{other}_aside}}", rng)


def tickets(
    seed: int, part: str, rows: int, kinds: dict[str, int], taken: set[str]
) -> list[dict[str, str]]:
    """`rows` labelled texts, the labels in near-equal shares and in random order."""
    grammar = Grammar(("words", "intents", "tickets"))
    rng = Random(f"{seed}/{part}")
    made = []
    for row in range(rows):
        label = LABELS[row % len(LABELS)]
        kind = rng.choices(list(kinds), weights=list(kinds.values()))[0]
        text = fresh(partial(ticket, grammar, label, kind, rng), taken)
        made.append({"text": text, "label": label})
    rng.shuffle(made)
    return made


def manifest() -> dict[str, object]:
    domains = [{"name": c.domain, "parent": c.parent, "corpus": c.file} for c in CORPORA]
    dataset = {
        "file": "tickets.jsonl",
        "test": "tickets_test.jsonl",
        "labels": list(LABELS),
        "domain": "support",
    }
    generator = {"text": "support.txt", "domain": "support", "prompt": "Thank you for"}
    return {"domains": domains, "dataset": dataset, "generator": generator}


def compose(folder: Path, seed: int) -> None:
    """Writes the corpora, the two parts of the dataset and the manifest into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    # One set for all: no text occurs twice, so no test text is in the training rows or a corpus.
    taken: set[str] = set()
    for corpus in CORPORA:
        write(folder / corpus.file, documents(corpus, seed, taken))
    train = tickets(seed, "train", TRAIN_ROWS, TRAIN_KINDS, taken)
    test = tickets(seed, "test", TEST_ROWS, TEST_KINDS, taken)
    write(folder / "tickets.jsonl", [json.dumps(row) for row in train])
    write(folder / "tickets_test.jsonl", [json.dumps(row) for row in test])
    write(folder / "manifest.json", [json.dumps(manifest(), indent=2)])


def write(path: Path, lines: list[str]) -> None:
    path.write_bytes("".join(f"{line}\n" for line in lines).encode())


def main() -> None:
    parser = argparse.ArgumentParser(description="Compose the demo's texts.")
    parser.add_argument("--seed", type=int, default=SEED)
    parser.add_argument("--out", type=Path, default=HERE, help="folder to write into")
    options = parser.parse_args()
    compose(options.out, options.seed)


if __name__ == "__main__":
    main()
