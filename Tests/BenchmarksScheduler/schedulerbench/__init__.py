"""Measures what the scheduler promises, with whole processes; run by tools/bench-scheduler."""
