"""Programs that run for a while, and logs that are kept."""

import contextlib
import pathlib
import socket
import subprocess
import time

from traffic import PROXY

HERE = pathlib.Path(__file__).resolve().parent
DEPLOY = HERE.parent.parent / "deploy"


class running:
    """A program, until the block ends."""

    def __init__(self, command, output=None, wait=2, address="127.0.0.1"):
        self.command, self.output, self.wait, self.address = command, output, wait, address

    def __enter__(self):
        out = open(self.output, "wb") if self.output else subprocess.DEVNULL
        self.process = subprocess.Popen(self.command, stdout=out, stderr=subprocess.DEVNULL)
        for _ in range(self.wait * 10):
            time.sleep(0.1)
            with contextlib.suppress(OSError), socket.create_connection((self.address, PROXY)):
                break
        return self

    def __exit__(self, *_):
        time.sleep(0.5)
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()


def keep(name, log, wanted=("",)):
    """Keeps the lines of a log that begin with one of these."""
    lines = log.read_text(errors="surrogateescape").splitlines(keepends=True)
    lines = [line for line in lines if line.startswith(wanted)]
    folder = HERE / name
    folder.mkdir(exist_ok=True)
    (folder / "access.log").write_text("".join(lines), errors="surrogateescape")
    print(f"{name}: {len(lines)} lines")
