"""An agent's loop over a model API, with the vendor's own client: `agent.py anthropic|openai SEED`.

The context begins with instructions and files and grows by each answer and by what a tool printed:
files and listings of this repository, as an agent that works on it would read them.
"""

import random
import subprocess
import sys
import time
from pathlib import Path

REPOSITORY = Path(__file__).parents[2]

# Turns until the task is done; files in the first context; running a tool, in seconds.
TURNS = (3, 10)
FILES = (1, 8)
TOOL_S = (0.3, 6.0)

# What a tool prints is cut off here, as agents do.
LONGEST_OUTPUT = 12_000


def main():
    vendor, seed = sys.argv[1], int(sys.argv[2])
    chance = random.Random(seed)
    say = {"anthropic": anthropic_client, "openai": openai_client}[vendor]()
    files = subprocess.run(
        ["git", "-C", str(REPOSITORY), "ls-files", "*.rs", "*.md", "*.py", "*.toml"],
        capture_output=True, text=True, check=True,
    ).stdout.split()
    task = ["Fix the failing test. Answer with the next command to run.", *instructions()]
    task += [read(chance.choice(files)) for _ in range(chance.randint(*FILES))]
    messages = [{"role": "user", "content": "\n\n".join(task)}]
    for _ in range(chance.randint(*TURNS)):
        answer = say(messages)
        messages.append({"role": "assistant", "content": answer})
        time.sleep(chance.uniform(*TOOL_S))
        messages.append({"role": "user", "content": tool(chance, files)})


def instructions():
    """What an agent is told of how this repository is worked on."""
    return [read("CONTRIBUTING.md")]


def read(name):
    return f"<file {name}>\n{(REPOSITORY / name).read_text(errors='replace')[:LONGEST_OUTPUT]}"


def tool(chance, files):
    commands = [
        lambda: read(chance.choice(files)),
        lambda: printed("git", "log", "--stat", f"-{chance.randint(1, 12)}"),
        lambda: printed("git", "grep", "-n", chance.choice(["fn main", "Duration", "expect(", "async"])),
        lambda: printed("ls", "-l", str(Path(chance.choice(files)).parent)),
        lambda: "test result: ok. 12 passed; 0 failed",
    ]
    return chance.choice(commands)()


def printed(*command):
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    return done.stdout[:LONGEST_OUTPUT] or "(nothing)"


def anthropic_client():
    import anthropic

    client = anthropic.Anthropic()

    def say(messages):
        with client.messages.stream(
            model="claude-sonnet-4-0", max_tokens=4096, messages=messages
        ) as stream:
            return "".join(stream.text_stream)

    return say


def openai_client():
    import openai

    client = openai.OpenAI()

    def say(messages):
        stream = client.chat.completions.create(model="gpt-4o", messages=messages, stream=True)
        pieces = [chunk.choices[0].delta.content or "" for chunk in stream]
        return "".join(pieces)

    return say


if __name__ == "__main__":
    main()
