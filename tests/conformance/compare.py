"""Compares egret's reading of public test captures with what other tools say of them.

    compare.py DATA [--egret BINARY] [--details FILE]

DATA holds the folders decode-zeek, decode-ndpi, decode-suricata, decode-ja4 and decode-tcpdump, as
README.md beside this file says. Prints the table that RESULTS.md holds; every single disagreement
goes to the details file.
"""

import argparse
import json
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import ours
import theirs
from explain import explain

QUANTITIES = {
    "flows": "flows",
    "packets": "packets each way",
    "wire": "IP bytes each way",
    "payload": "payload bytes each way",
    "dns": "DNS names",
    "hosts": "SNI and HTTP hosts",
    "ja4": "JA4",
    "certificates": "certificates",
}


def items(seen, quantity):
    """The things of one kind that a reference tells, each comparable by itself."""
    if quantity == "flows":
        return set(seen.flows)
    place = {"payload": 0, "wire": 1, "packets": 2}.get(quantity)
    if place is None:
        return set(getattr(seen, quantity))
    return {
        (key, sender, sums[place])
        for key, ways in seen.flows.items()
        for sender, sums in ways.items()
        if sums[place] is not None
    }


def agreement(mine, reference, quantity):
    """(how many agree, those of the reference that do not)."""
    wanted = items(reference, quantity)
    have = items(mine, quantity)
    # A sender of nothing need not be told of.
    missing = {item for item in wanted - have if not (isinstance(item, tuple) and len(item) == 3 and item[-1] == 0 and quantity in ("payload", "wire", "packets"))}
    return len(wanted) - len(missing), missing


def cases(data):
    """(reference, capture, function that gives what the reference says and what to ask of it)."""
    zeek_folder = data / "decode-zeek"
    for entry in json.loads((zeek_folder / "index.json").read_text()):
        # "-b" loads no protocol scripts but what the test names: what is not asked is not told.
        capture = zeek_folder / "traces" / entry["trace"]
        expected = zeek_folder / "expected" / entry["test"]
        if capture.exists():
            yield "Zeek", capture, lambda expected=expected, logs=entry["logs"]: theirs.zeek(expected, logs)
    for folder in ("decode-ndpi", "pcap-ndpi-threats"):
        for capture in sorted((data / folder / "pcap").glob("*.pcap*")):
            expected = data / folder / "expected" / f"{capture.name}.out"
            if expected.exists():
                yield "nDPI", capture, lambda expected=expected: (theirs.ndpi(expected), {"flows", "packets", "dns", "hosts", "ja4"})
    for test in sorted((data / "decode-suricata").iterdir()):
        for capture in sorted(test.glob("*.pcap*")):
            yield "Suricata", capture, lambda test=test: (theirs.suricata(test / "test.yaml"), {"dns", "hosts"})
    for capture in sorted((data / "decode-ja4" / "pcap").iterdir()):
        yield "JA4", capture, lambda capture=capture: (theirs.ja4(data / "decode-ja4" / "expected", capture), {"ja4"})
    everything = {"flows", "packets", "wire", "payload", "dns", "hosts", "certificates"}
    for pattern in ("decode-*/**/*.pcap*", "decode-*/**/*.cap", "decode-*/**/*.trace"):
        for capture in sorted(data.glob(pattern)):
            if capture.is_file() and not capture.name.endswith(".out"):
                yield "tshark", capture, lambda capture=capture: (theirs.tshark(capture), everything)


def compare(data, egret):
    """Rows (reference, quantity, capture, agreed, missing items)."""
    mine = {}

    def judge(case):
        reference, capture, tell = case
        said, asked = tell()
        own = mine.get(capture) or ours.run(egret, capture)
        mine[capture] = own
        return reference, capture, said, asked, own

    with ThreadPoolExecutor(max_workers=2) as pool:
        for reference, capture, said, asked, own in pool.map(judge, list(cases(data))):
            for quantity in QUANTITIES:
                if quantity in asked:
                    agreed, missing = agreement(own, said, quantity)
                    if agreed or missing:
                        yield reference, quantity, capture, agreed, missing, own, said


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--egret", default="target/debug/egret")
    parser.add_argument("--details", type=Path, default=Path("target/conformance.tsv"))
    arguments = parser.parse_args()
    totals = defaultdict(lambda: [0, 0, 0])
    reasons = defaultdict(int)
    with arguments.details.open("w") as details:
        for reference, quantity, capture, agreed, missing, own, said in compare(arguments.data, arguments.egret):
            total = totals[reference, quantity]
            total[0] += agreed
            total[1] += len(missing)
            for item in sorted(missing, key=str):
                reason = explain(reference, quantity, capture, item, own, theirs.tshark(capture))
                if reason:
                    total[2] += 1
                    reasons[reference, quantity, reason] += 1
                where = capture.relative_to(arguments.data)
                print(reference, quantity, where, item, reason or "NOT EXPLAINED", sep="\t", file=details)
    print_table(totals, reasons)
    unexplained = sum(total[1] - total[2] for total in totals.values())
    print(f"{unexplained} disagreements are not explained; all are in {arguments.details}", file=sys.stderr)


def print_table(totals, reasons):
    print("| reference | quantity | compared | agree | share | differ for a reason | share without those | not explained |")
    print("|---|---|---:|---:|---:|---:|---:|---:|")
    for (reference, quantity), (agreed, missing, explained) in sorted(totals.items()):
        compared = agreed + missing
        rest = compared - explained
        print(
            f"| {reference} | {QUANTITIES[quantity]} | {compared} | {agreed} | {share(agreed, compared)} "
            f"| {explained} | {share(agreed, rest)} | {missing - explained} |"
        )
    print("\n| reference | quantity | times | why they differ |")
    print("|---|---|---:|---|")
    for (reference, quantity, reason), times in sorted(reasons.items()):
        print(f"| {reference} | {QUANTITIES[quantity]} | {times} | {reason} |")


def share(part, whole):
    return f"{100 * part / whole:.2f} %" if whole else "–"


if __name__ == "__main__":
    main()
