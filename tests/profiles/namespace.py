"""An executor in a network namespace of its own, and the capture of what it sends."""

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

# A run that takes longer is not what a session of a few minutes does.
LONGEST_RUN_S = 240

# Enough of each packet for a hello or a request.
SNAP_BYTES = 4096


def quietly(*command):
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


class Namespace:
    """Made on entry and deleted on exit. `number`: there may be several. `names`: hosts that stand at
    the gateway instead of where they are; the others are reached through it."""

    def __init__(self, number, names=()):
        self.names = names
        self.name = f"egret-profiles-{number}"
        self.net = f"10.231.{number}.0/30"
        self.gateway, self.executor = f"10.231.{number}.1", f"10.231.{number}.2"
        self.outside, self.inside = f"egretprof{number}o", f"egretprof{number}i"
        self.etc = Path("/etc/netns") / self.name

    def __enter__(self):
        self.remove()
        quietly("ip", "netns", "add", self.name)
        pair = ["type", "veth", "peer", "name", self.inside, "netns", self.name]
        quietly("ip", "link", "add", self.outside, *pair)
        quietly("ip", "addr", "add", f"{self.gateway}/30", "dev", self.outside)
        quietly("ip", "link", "set", self.outside, "up")
        inside = ["ip", "-n", self.name]
        quietly(*inside, "addr", "add", f"{self.executor}/30", "dev", self.inside)
        quietly(*inside, "link", "set", self.inside, "up")
        quietly(*inside, "link", "set", "lo", "up")
        quietly(*inside, "route", "add", "default", "via", self.gateway)
        quietly("sysctl", "-qw", "net.ipv4.ip_forward=1")
        quietly("nft", f"add table ip {self.name}")
        quietly("nft", f"add chain ip {self.name} post {{ type nat hook postrouting priority 100; }}")
        quietly("nft", f"add rule ip {self.name} post ip saddr {self.net} masquerade")
        self.etc.mkdir(parents=True, exist_ok=True)
        hosts = ["127.0.0.1 localhost", *(f"{self.gateway} {name}" for name in self.names)]
        (self.etc / "hosts").write_text("\n".join(hosts) + "\n")
        return self

    def __exit__(self, *_):
        self.remove()

    def remove(self):
        for command in (
            ["ip", "netns", "del", self.name],
            ["ip", "link", "del", self.outside],
            ["nft", f"delete table ip {self.name}"],
        ):
            subprocess.run(command, check=False, capture_output=True)
        shutil.rmtree(self.etc, ignore_errors=True)

    def run(self, script, folder, env):
        """Runs a shell script in `folder` inside the namespace."""
        with open(folder / "output.txt", "wb") as output:
            subprocess.run(
                ["ip", "netns", "exec", self.name, "sh", "-euc", script],
                cwd=folder, env=env, check=True, timeout=LONGEST_RUN_S,
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
            )

    def client(self):
        """The executor's address as it stands in packets."""
        return socket.inet_aton(self.executor)

    def capture(self, path):
        """Captures into `path` while it is entered."""
        return Capture(self, path)


class Capture:
    def __init__(self, space, path):
        self.space, self.path = space, path

    def __enter__(self):
        command = ["ip", "netns", "exec", self.space.name, "tcpdump", "-Z", "root", "-U"]
        command += ["--immediate-mode", "-B", "65536"]
        command += ["-i", self.space.inside, "-s", str(SNAP_BYTES), "-w", str(self.path), "tcp"]
        self.process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True
        )
        for line in self.process.stderr:
            if "listening on" in line:
                return self
        raise RuntimeError("tcpdump does not listen")

    def __exit__(self, *_):
        time.sleep(0.5)
        self.process.send_signal(signal.SIGINT)
        said = self.process.stderr.read()
        self.process.wait()
        if "0 packets dropped by kernel" not in said:
            raise RuntimeError(f"the capture has holes: {said}")


def environment(folder):
    """What a program sees: its own home, and of this machine's variables only where programs are and
    which certificates are trusted."""
    trusted = ("CERT", "CAINFO", "CA_BUNDLE", "CA_CERTS", "ROOTS_FILE")
    kept = {key: value for key, value in os.environ.items() if any(t in key for t in trusted)}
    return kept | {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TERM": "dumb",
    }
