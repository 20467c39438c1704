"""A script that works with a forge's API, with Python's requests: `api_calls.py SEED`."""

import random
import sys
import time

import requests

API = "https://api.github.com/repos/acme/service"
WORDS = "the test fails since the last change because a value is read before it is set".split()


def main():
    chance = random.Random(int(sys.argv[1]))
    session = requests.Session()
    session.headers["Authorization"] = "Bearer ghp_" + "x" * 36
    for _ in range(chance.randint(3, 14)):
        chance.choice([listing, listing, one, comment, label])(session, chance)
        time.sleep(chance.uniform(0.05, 3.0))


def listing(session, chance):
    for page in range(1, chance.randint(2, 5)):
        session.get(f"{API}/issues", params={"state": "open", "page": page}).raise_for_status()


def one(session, chance):
    session.get(f"{API}/issues/{chance.randint(1, 999)}").raise_for_status()


def comment(session, chance):
    text = " ".join(chance.choices(WORDS, k=chance.randint(5, 400)))
    url = f"{API}/issues/{chance.randint(1, 999)}/comments"
    session.post(url, json={"body": text}).raise_for_status()


def label(session, chance):
    url = f"{API}/issues/{chance.randint(1, 999)}"
    session.patch(url, json={"labels": ["bug", "ci"], "state": "open"}).raise_for_status()


if __name__ == "__main__":
    main()
