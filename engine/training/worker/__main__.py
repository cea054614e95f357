"""`python -m engine.training.worker FD`: the training process, spoken to through descriptor FD."""

from __future__ import annotations

import logging
import sys
from multiprocessing.connection import Connection

from engine.training.worker.serve import serve

if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    serve(Connection(int(sys.argv[1])))
