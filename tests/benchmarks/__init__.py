"""Measurements: both sides of every ratio in one run, on the same inputs. Not part of the suite."""
