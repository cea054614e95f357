"""The built-in measurements, run in a process of their own (CONTRACT section 5)."""
