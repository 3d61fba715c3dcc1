"""Two real processes under torchrun, found, signalled and cleared away."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

PATIENCE_S = 300


class Two:
    """`torchrun` with two processes of a module on this machine; a context manager that leaves nothing running."""

    def __init__(self, *args):
        self._process = subprocess.Popen(
            [
                sys.executable,
                *("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"),
                *("-m", *map(str, args)),
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            # loopback alone: the name of the machine need not resolve
            env={**os.environ, "OMP_NUM_THREADS": "1", "GLOO_SOCKET_IFNAME": "lo"},
        )
        self.pid = self._process.pid
        self.errors = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for pid in (self.pid, *self.workers().values()):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self._process.poll() is None:
            self._process.communicate()

    def workers(self):
        """Process ids by rank; torchrun puts each into a session of its own, so a group would not hold them."""
        found = {}
        for folder in Path("/proc").iterdir():
            with contextlib.suppress(OSError, ValueError):
                parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
                if parent == self.pid:
                    environment = dict(
                        each.split("=", 1) for each in (folder / "environ").read_text().split("\0") if "=" in each
                    )
                    found[int(environment["RANK"])] = int(folder.name)
        return found

    def wait_for(self, path):
        """Wait until the processes have made a file."""
        end = time.monotonic() + PATIENCE_S
        while not path.exists():
            assert self._process.poll() is None, self._process.communicate()[1]
            assert time.monotonic() < end, f"{path} was not made within {PATIENCE_S} s"
            time.sleep(0.005)

    def end(self):
        """Wait for the end; gives the exit code. What was said on standard error is then in `errors`."""
        self.errors = self._process.communicate(timeout=PATIENCE_S)[1]
        return self._process.returncode
