"""Reads ONNX files in a process of its own: one line of JSON each, and at the end the most memory that it ever held.

A file that takes more than five seconds, or ends in anything but a network or an ``InputError``, says so in its line.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
import time
from pathlib import Path
from types import FrameType

from hwnorm.errors import InputError
from hwnorm.network.onnx_reader import read_onnx

SECONDS = 5


class TooSlowError(BaseException):
    """Not an Exception: nothing in between may catch it."""


def _ring(_signal: int, _frame: FrameType | None) -> None:
    raise TooSlowError


def _most_kib() -> int:
    """The kernel's mark of this program alone; ``getrusage`` may give that of the process that forked it."""
    status = Path("/proc/self/status")
    if status.exists():
        return next(int(line.split()[1]) for line in status.read_text().splitlines() if line.startswith("VmHWM"))
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def main() -> None:
    signal.signal(signal.SIGALRM, _ring)
    for name in sys.argv[1:]:
        print(json.dumps({"starts": name}), flush=True)
        start = time.perf_counter()
        signal.alarm(SECONDS)
        try:
            network = read_onnx(Path(name), None)
            sizes = [[one.kind, one.channels, one.height, one.width] for one in network.layers]
            line: dict[str, object] = {"layers": sizes, "parameters": network.parameters, "macs": network.macs}
        except InputError as error:
            line = {"error": str(error)}
        except BaseException as error:
            line = {"fault": f"{type(error).__name__}: {error}"}
        finally:
            signal.alarm(0)
        print(json.dumps({**line, "seconds": time.perf_counter() - start}), flush=True)
    print(json.dumps({"kib": _most_kib()}))


if __name__ == "__main__":
    main()
