"""Records what real programs send, as profiles of times and sizes: `make profiles`.

usage: record.py [PROGRAM …]        (without: all)

Each run is made in a network namespace, with an empty home and without any cache, captured, and
reduced to contacts (reduce.py). See README.md.
"""

import datetime
import subprocess
import sys
import tempfile
from pathlib import Path

import reduce
from namespace import Namespace, environment
from programs import PROGRAMS

PROFILES = Path(__file__).parents[2] / "egret/src/simulate/profiles"

# Every third run, in the order in which they are listed, is held out from tuning.
EVERY = 3

# What a profile holds.
LICENCE = "only times, sizes and names of public hosts; no content; same licence as Egret"


def main():
    wanted = sys.argv[1:] or list(PROGRAMS)
    for name in wanted:
        record(name, PROGRAMS[name])


def record(name, program):
    runs = []
    number = list(PROGRAMS).index(name)
    with (
        Namespace(number, program.names) as space,
        program.stand_in(space.gateway) as extra,
    ):
        for place, (what, script, *before) in enumerate(program.runs, start=1):
            part = "held-out" if place % EVERY == 0 else "tuning"
            before = "; ".join(before) or program.before
            contacts = record_one(space, before, script, extra)
            if contacts is None:
                print(f"{name} {place} ({what}): left out", file=sys.stderr)
                continue
            runs.append((f"{name}-{place:02}", part, what, program.told(contacts)))
            print(f"{name} {place} ({what}): {len(contacts)} contacts", file=sys.stderr)
    write(name, program, runs)


def record_one(space, before, script, extra):
    """The contacts of one run, tried twice; nothing where the program failed both times."""
    for _ in range(2):
        with tempfile.TemporaryDirectory(prefix="egret-profile-") as folder:
            folder = Path(folder)
            env = environment(folder) | extra
            capture = folder / "run.pcap"
            try:
                subprocess.run(
                    ["sh", "-euc", before], cwd=folder, env=env, check=True,
                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                )
                with space.capture(capture):
                    space.run(script, folder, env)
                contacts = reduce.contacts(capture, space.client())
                if contacts:
                    return contacts
            except (subprocess.SubprocessError, ValueError) as error:
                print(f"  {error}", file=sys.stderr)
                output = folder / "output.txt"
                if output.exists():
                    print(output.read_text(errors="replace")[-600:], file=sys.stderr)
    return None


def write(name, program, runs):
    version = subprocess.run(
        ["sh", "-euc", program.version], capture_output=True, text=True, check=True
    ).stdout.strip().replace("\n", ", ")
    path = PROFILES / f"{name}.tsv"
    lines = [
        f"# program: {version}",
        f"# recorded: {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, tests/profiles/record.py: tcpdump in"
        " a network namespace, an empty home, no caches",
        f"# real: {program.real}",
        f"# stand-in: {program.stand_in_note}",
        f"# licence: {LICENCE}",
        f"# scale: replayed, a download's bytes above 2048 are divided by {program.divisor}; uploads and"
        " times are as recorded, but where the simulated path takes longer",
        f"downloads\t{program.divisor}",
    ]
    for number, part, what, contacts in runs:
        lines.append(f"run\t{number}\t{part}\t{what}")
        lines.extend(contact_line(contact) for contact in contacts)
    path.parent.mkdir(exist_ok=True)
    path.write_text("\n".join(lines) + "\n")


def contact_line(contact):
    said, before = [], 0
    for at, sign, size, asked in contact.bursts:
        said.append(f"{at - before}{sign}{size}" + (f"@{asked}" if asked else ""))
        before = at
    fields = [contact.offset_ms, contact.host, contact.port, contact.over, contact.lasted_ms]
    return "\t".join(map(str, ["at", *fields, contact.ending, " ".join(said)]))


if __name__ == "__main__":
    main()
