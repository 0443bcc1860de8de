"""How much of a node's compute thread is kernels, by perf's samples."""

from __future__ import annotations

import shutil
import signal
import subprocess
import tempfile


_LOGIT_LOOPS = "$s9Inference9LogitScan"


class KernelShare:
    """Samples a process while the context lasts."""

    frequency = 199

    def __init__(self, pid: int) -> None:
        self._pid = pid
        self._recording: subprocess.Popen[bytes] | None = None
        self._file = tempfile.NamedTemporaryFile(suffix=".perf")
        self._share: float | None = None

    def __enter__(self) -> KernelShare:
        if shutil.which("perf"):
            # The clock, not the cycle counter: virtual machines often have none.
            self._recording = subprocess.Popen(
                ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(self.frequency), "-p", str(self._pid),
                 "-o", self._file.name], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        return self

    def __exit__(self, *_: object) -> None:
        if not self._recording:
            return
        self._recording.send_signal(signal.SIGINT)
        try:
            self._recording.wait(20)
        except subprocess.TimeoutExpired:
            self._recording.kill()
            self._recording.wait()
        script = subprocess.run(
            ["perf", "script", "--no-demangle", "-F", "comm,ip,sym,dso", "-i", self._file.name],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, timeout=120, check=False)
        self._share = kernel_share(script.stdout.decode(errors="replace"))
        self._file.close()

    def share(self) -> float | None:
        """Samples inside kernels among those of the compute thread; nil without perf."""
        return self._share


def kernel_share(script: str) -> float | None:
    """Kernels are the C functions of the node's program, and the loops over all logits, which are Swift."""
    inside = total = 0
    for line in script.splitlines():
        words = line.split()
        if not words or not words[0].startswith("compute"):
            continue
        total += 1
        symbol = words[-2] if len(words) > 2 else ""
        is_swift = symbol.startswith(("$s", "[unknown", "swift_"))
        if "shardline-node" in words[-1] and (not is_swift or symbol.startswith(_LOGIT_LOOPS)):
            inside += 1
    return inside / total if total >= 50 else None
