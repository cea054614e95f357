"""`python -m engine.bench`: what `hmi bench` runs."""

from __future__ import annotations

from engine.bench.engine_commands import bench

if __name__ == "__main__":
    bench(prog_name="hmi bench", auto_envvar_prefix="HMI_BENCH")
