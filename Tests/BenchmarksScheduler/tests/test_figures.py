"""How figures are made out of what programs report; run with
`cd Tests/BenchmarksScheduler && python3 -m unittest discover -s tests -t .`."""

from __future__ import annotations

import argparse
import contextlib
import io
import unittest
from typing import Any

from schedulerbench.batching import Search, Trial
from schedulerbench.load import LoadReport
from schedulerbench.machine import BenchmarkError
from schedulerbench.profile import kernel_share
from schedulerbench.verdict import Verdicts


def report(**fields: Any) -> LoadReport:
    return LoadReport({"e2el": 0, **fields}, ended_at=100)


class VerdictTests(unittest.TestCase):
    def test_limits_themselves_are_kept(self) -> None:
        verdicts = Verdicts()
        with contextlib.redirect_stdout(io.StringIO()) as out:
            verdicts.at_least("a", 1.8, 1.8)
            verdicts.at_most("b", 2, 2)
            verdicts.at_least("c", 1.79, 1.8, "x")
            verdicts.at_most("d", float("nan"), 2)
        self.assertEqual(verdicts.missed, ["c", "d"])
        self.assertIn("c: 1.79x (asked: at least 1.8x)", out.getvalue())


class LoadReportTests(unittest.TestCase):
    phases = [
        {"phase": "warm_up", "duration": 3.0}, {"phase": "steady", "duration": 10.0},
        {"phase": "injection", "duration": 0.0}, {"phase": "drain", "duration": 2.0}]

    def test_a_phase_has_its_window(self) -> None:
        self.assertEqual(report(phases=self.phases).window("steady"), (88, 98))

    def test_a_phase_that_never_was_is_named(self) -> None:
        with self.assertRaisesRegex(BenchmarkError, "injection"):
            report(phases=self.phases).phase("injection")


class KernelShareTests(unittest.TestCase):
    def test_c_functions_of_the_compute_thread_count(self) -> None:
        folder = "(/b/shardline-node)"
        lines = (
            [f"compute 55 sl_multiply_q4_1 {folder}"] * 50
            + [f"compute 55 $s9Inference9LogitScanO9areFinite {folder}"] * 10
            + [f"compute 55 $s9Inference5StageV3runyyF {folder}"] * 20
            + ["compute 55 memcpy (/lib/libc.so.6)"] * 20 + [f"shardline-loop 55 sl_crc32c {folder}"] * 500)
        self.assertEqual(kernel_share("\n".join(lines)), 0.6)

    def test_few_samples_tell_nothing(self) -> None:
        self.assertIsNone(kernel_share("compute 55 sl_multiply (/b/shardline-node)"))


class SearchTests(unittest.TestCase):
    def search(self, least_scale: float, start: float) -> Trial:
        """Of a server that keeps the limit from `least_scale` on."""
        search = Search(argparse.Namespace(steps=6), lambda scale: Trial(scale, 1 if scale >= least_scale else 9, 0, 0))
        with contextlib.redirect_stderr(io.StringIO()):
            return search.fastest(limit=2, start=start)

    def test_the_limit_is_found_from_either_side(self) -> None:
        for start in 0.5, 0.01:
            found = self.search(0.07, start).time_scale
            self.assertGreaterEqual(found, 0.07)
            self.assertLess(found, 0.07 * 1.1)

    def test_a_limit_that_nothing_keeps_is_told(self) -> None:
        with self.assertRaisesRegex(BenchmarkError, "--slack"):
            self.search(1e9, 1)


if __name__ == "__main__":
    unittest.main()
