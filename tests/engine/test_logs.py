"""The log says which request each line is about, in lines or in JSON, and stays small."""

from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path

from engine.logs import KEPT, JsonLines, Lines, request_id

PROGRAM = """
import logging, os, sys
from pathlib import Path
from engine.logs import log_to_stderr
log_to_stderr("text", Path(sys.argv[1]), limit=1000)
for number in range(100):
    logging.getLogger("engine").info("line %03d %s", number, "x" * 60)
    if number == 50:
        os.write(2, b"what native code writes\\n")
"""


def record(message: str) -> logging.LogRecord:
    return logging.LogRecord("engine", logging.WARNING, "file", 1, message, (), None)


def test_a_line_ends_with_the_request_that_it_is_about() -> None:
    lines = Lines("%(levelname)s %(name)s: %(message)s%(about)s")
    assert lines.format(record("slow")) == "WARNING engine: slow"
    told = request_id.set("r-1")
    assert lines.format(record("slow")) == "WARNING engine: slow [request r-1]"
    request_id.reset(told)


def test_json_lines_are_one_object_each_with_the_exception_in_it() -> None:
    told = request_id.set("r-1")
    failing = record("it failed")
    try:
        raise ValueError("a\nb")
    except ValueError:
        failing.exc_info = sys.exc_info()
    line = JsonLines().format(failing)
    request_id.reset(told)
    assert "\n" not in line
    entry = json.loads(line)
    assert (entry["level"], entry["logger"], entry["message"]) == ("WARNING", "engine", "it failed")
    assert entry["request"] == "r-1"
    assert "ValueError: a\nb" in entry["exception"]
    assert entry["time"].endswith("Z")


def test_a_log_that_is_full_goes_on_in_a_new_file_and_old_ones_go(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    with path.open("ab") as log:
        subprocess.run(
            [sys.executable, "-c", PROGRAM, path],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            check=True,
            timeout=60,
        )
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == [
        "engine.log",
        *[f"engine.log.{number}" for number in range(1, KEPT + 1)],
    ]
    assert max(file.stat().st_size for file in files) < 1200
    assert path.stat().st_mode & 0o777 == 0o600
    kept = "".join(file.read_text() for file in reversed(files))
    numbers = [int(line.split("line ")[1][:3]) for line in kept.splitlines() if "line " in line]
    assert numbers == list(range(numbers[0], 100))


def test_a_stderr_that_is_no_file_of_ours_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "engine.log"
    run = subprocess.run(
        [sys.executable, "-c", PROGRAM, path], capture_output=True, check=True, timeout=60
    )
    assert run.stderr.count(b"line ") == 100
    assert list(tmp_path.iterdir()) == []
