"""nfstream with nDPI, from a capture to flows, on one meter (one core)."""

import sys

from nfstream import NFStreamer

if __name__ == "__main__":
    print(sum(1 for _ in NFStreamer(source=sys.argv[1], n_dissections=20, n_meters=1)), "flows")
