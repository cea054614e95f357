"""What the requests say: lines of a file, or the demo's."""

from __future__ import annotations

import gzip
from pathlib import Path

from engine.config import assets_dir
from engine.errors import BadInput, NotFound

MAX_LINES = 100_000


def read_texts(path: Path) -> list[str]:
    """The lines of `path` (plain or .gz) that are not blank, at most the first 100,000.

    Raises NotFound without such a file and BadInput if it holds no text.
    """
    if not path.is_file():
        raise NotFound(f"There is no text file {path}.", remedy="Give one with --text.")
    opener = gzip.open if path.suffix == ".gz" else Path.open
    texts: list[str] = []
    try:
        with opener(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                if line.strip():
                    texts.append(line.strip())
                if len(texts) == MAX_LINES:
                    break
    except (UnicodeDecodeError, gzip.BadGzipFile, EOFError) as error:
        raise BadInput(
            f"{path} cannot be read as text: {error}.",
            remedy="Give a UTF-8 file with a text a line, plain or .gz.",
        ) from error
    if not texts:
        raise BadInput(f"{path} holds no text.", remedy="Give a file with a text a line.")
    return texts


def demo_texts() -> list[str]:
    """The lines of all demo corpora."""
    files = sorted((assets_dir() / "demo").glob("*.txt*"))
    if not files:
        raise NotFound("The demo texts are not installed.", remedy="Give a file with --text.")
    return [text for file in files for text in read_texts(file)]
