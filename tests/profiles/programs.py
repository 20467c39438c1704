"""The programs, and the runs of each."""

import shlex
import shutil
import subprocess
from contextlib import nullcontext
from dataclasses import dataclass, field
from pathlib import Path

import stand_ins

HERE = Path(__file__).parent
PYTHON = shlex.quote(str(HERE.parents[1] / "target/profiles-python/bin/python"))

# Behind rustup's proxies, which look for their toolchains in the home that a run does not have.
RUST = Path(
    subprocess.run(["rustup", "which", "cargo"], capture_output=True, text=True).stdout.strip()
    if shutil.which("rustup")
    else shutil.which("cargo")
).parent

REGISTRY = (
    "the program, its requests and its pace. Answers came over this route to the registry, not a"
    " user's: latencies and certificates are not typical"
)
NONE = "nothing"


@dataclass(frozen=True)
class Program:
    """A program whose runs are recorded."""

    # Prints name and version.
    version: str
    # (what it does, in words; the script; and what to do before the capture, if anything). Every
    # third is held out.
    runs: list
    # What a bulk download is divided by when replayed.
    divisor: int
    real: str = REGISTRY
    stand_in_note: str = NONE
    # Prepares the folder, before the capture.
    before: str = "true"
    # Gives a run's contacts the names that they have elsewhere.
    told: object = field(default=lambda contacts: contacts)
    # Hosts that are played by the stand-in.
    names: tuple = ()
    # Makes the stand-in at an address; entered, it gives more variables for the program.
    stand_in: object = field(default=lambda _: nullcontext({}))


def pip(*packages):
    words = " ".join(packages)
    return words, f"{PYTHON} -m pip install --no-cache-dir --target target {words}"


def npm(*packages):
    words = " ".join(packages)
    return words, f"npm install --ignore-scripts --cache cache {words}"


def cargo(*packages):
    """Name, or name/feature/feature."""
    lines = []
    for package in packages:
        name, *features = package.split("/")
        lines.append(f'{name} = {{ version = "*", features = {list(features)} }}'.replace("'", '"'))
    table = "\\n".join(lines)
    return " ".join(packages), f"printf '{table}\\n' >>Cargo.toml; PATH={RUST}:$PATH CARGO_HOME=home cargo fetch"


PIP = Program(
    version=f"{PYTHON} -m pip --version | cut -d' ' -f1,2; {PYTHON} --version",
    divisor=200,
    runs=[
        pip("requests"),
        pip("flask"),
        pip("numpy", "pandas"),
        pip("pytest", "pytest-cov"),
        pip("django", "djangorestframework"),
        pip("fastapi", "uvicorn"),
        pip("matplotlib"),
        pip("scikit-learn"),
        pip("anthropic"),
        pip("black", "ruff", "mypy"),
        pip("sqlalchemy", "alembic", "psycopg2-binary"),
        pip("beautifulsoup4", "lxml", "httpx"),
        pip("boto3"),
        pip("tokenizers", "transformers"),
        pip("jupyterlab"),
        pip("pillow", "opencv-python-headless"),
        pip("rich", "typer", "pydantic"),
        pip("aiohttp", "redis"),
    ],
)

NPM = Program(
    version="echo npm $(npm --version), Node.js $(node --version)",
    divisor=150,
    before="echo '{\"name\":\"task\",\"version\":\"1.0.0\"}' >package.json",
    runs=[
        npm("express"),
        npm("lodash", "axios"),
        npm("typescript", "@types/node"),
        npm("react", "react-dom"),
        npm("mocha", "chai"),
        npm("vite"),
        npm("prettier", "husky"),
        npm("eslint"),
        npm("fastify"),
        npm("vue", "pinia"),
        npm("tailwindcss", "postcss", "autoprefixer"),
        npm("vitest"),
        npm("socket.io"),
        npm("next"),
        npm("webpack"),
        npm("jest"),
        npm("nodemon", "dotenv"),
        npm("mongoose"),
    ],
)

def crates_apart(contacts):
    """Where the index names itself for crates: the first contact is for the index, the others are for
    crates, which the public index has elsewhere."""
    index, *others = contacts
    return [index, *map(at_static, others)]


def at_static(contact):
    """A longer name makes a longer hello."""
    host = "static.crates.io"
    at, sign, size, path = contact.bursts[0]
    hello = (at, sign, size + len(host) - len(contact.host), path)
    return contact._replace(host=host, bursts=[hello, *contact.bursts[1:]])


CARGO = Program(
    version=f"{RUST}/cargo --version | cut -d' ' -f1,2",
    real=REGISTRY + "; crates have longer paths on this route than at static.crates.io, as which they are"
    " told: some 30 bytes more go up for each",
    told=crates_apart,
    divisor=60,
    before="mkdir src; echo >src/lib.rs; printf '[package]\\nname = \"task\"\\nversion = \"0.1.0\"\\n"
    "edition = \"2021\"\\n[dependencies]\\n' >Cargo.toml",
    runs=[
        cargo("serde/derive", "serde_json"),
        cargo("tokio/full"),
        cargo("clap/derive"),
        cargo("reqwest"),
        cargo("regex", "anyhow", "thiserror"),
        cargo("axum", "tokio/full"),
        cargo("rand"),
        cargo("tracing", "tracing-subscriber"),
        cargo("chrono", "uuid/v4"),
        cargo("rusqlite/bundled"),
        cargo("rayon", "itertools"),
        cargo("hyper/full", "hyper-util"),
        cargo("image"),
        cargo("syn/full", "quote", "proc-macro2"),
        cargo("criterion"),
        cargo("sqlx/sqlite"),
        cargo("toml", "walkdir", "log", "env_logger"),
        cargo("tonic", "prost"),
    ],
)



def apt(*packages):
    words = " ".join(packages)
    return f"update, {words}", f"apt-get -c apt.conf update; apt-get -c apt.conf -d -y install {words}"


# An installation of its own: nothing is installed yet, so all that a package needs is fetched.
APT_BEFORE = r"""
mkdir -p state/lists/partial cache/archives/partial
: >status
echo 'deb http://deb.debian.org/debian bookworm main' >sources.list
echo 'deb http://deb.debian.org/debian bookworm-updates main' >>sources.list
cat >apt.conf <<CONF
Dir::State "$PWD/state"; Dir::State::status "$PWD/status"; Dir::Cache "$PWD/cache";
Dir::Etc::sourcelist "$PWD/sources.list"; Dir::Etc::sourceparts "-";
APT::Sandbox::User "root"; APT::Install-Recommends "false"; Acquire::Languages "none";
CONF
"""

APT = Program(
    version="apt-get --version | head -1 | cut -d' ' -f1,2",
    divisor=200,
    before=APT_BEFORE,
    runs=[
        apt("curl"),
        apt("jq"),
        apt("git"),
        apt("ripgrep"),
        apt("sqlite3"),
        apt("make"),
        apt("postgresql-client"),
        apt("unzip", "zip"),
        apt("libssl-dev"),
        apt("graphviz"),
        apt("redis-tools"),
        apt("python3-venv"),
    ],
)


def go(*modules):
    words = " ".join(modules)
    return words, f"GOPATH=$PWD/go GOFLAGS=-modcacherw GOSUMDB=off GOTOOLCHAIN=local go get {words}"


GO = Program(
    version="go version | cut -d' ' -f1-3",
    divisor=100,
    real=REGISTRY + "; without the checksum database",
    before="printf 'module example.com/task\n\ngo 1.25\n' >go.mod",
    runs=[
        go("github.com/spf13/cobra"),
        go("github.com/gin-gonic/gin"),
        go("github.com/stretchr/testify"),
        go("go.uber.org/zap"),
        go("github.com/labstack/echo/v4"),
        go("github.com/prometheus/client_golang/prometheus"),
        go("google.golang.org/grpc"),
        go("github.com/go-chi/chi/v5"),
        go("gorm.io/gorm", "gorm.io/driver/sqlite"),
        go("github.com/spf13/viper"),
        go("github.com/redis/go-redis/v9"),
        go("github.com/aws/aws-sdk-go-v2/service/s3"),
        go("golang.org/x/net", "golang.org/x/sync"),
        go("github.com/jackc/pgx/v5"),
        go("github.com/gofiber/fiber/v2"),
    ],
)

POM = """<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>
<groupId>com.example</groupId><artifactId>task</artifactId><version>1</version><dependencies>
%s</dependencies></project>
"""


def maven(*artifacts):
    dependencies = ""
    for artifact in artifacts:
        group, name, version = artifact.split(":")
        dependencies += f"<dependency><groupId>{group}</groupId><artifactId>{name}</artifactId>"
        dependencies += f"<version>{version}</version></dependency>\n"
    goal = "dependency:resolve"
    script = f"mvn -B -q -Dmaven.repo.local=repository {goal}"
    return " ".join(artifacts), script, f"cat >pom.xml <<'POM'\n{POM % dependencies}POM"


MAVEN = Program(
    version="mvn --version | head -1 | sed 's/\x1b[^m]*m//g' | cut -d' ' -f1-3",
    divisor=100,
    runs=[
        maven("junit:junit:4.13.2"),
        maven("com.google.guava:guava:33.3.1-jre"),
        maven("org.slf4j:slf4j-simple:2.0.16"),
        maven("com.fasterxml.jackson.core:jackson-databind:2.18.1"),
        maven("org.apache.commons:commons-lang3:3.17.0", "commons-io:commons-io:2.17.0"),
        maven("org.junit.jupiter:junit-jupiter:5.11.3"),
        maven("org.springframework:spring-context:6.1.14"),
        maven("org.apache.httpcomponents.client5:httpclient5:5.4.1"),
        maven("com.squareup.okhttp3:okhttp:4.12.0"),
    ],
)

MADE_SERVER = "the server, on this machine: its latency is not typical"
REAL_CLIENT = "the program, its requests and its pace"


def clone(number, *options):
    words = " ".join(["clone", *options, f"service-{number}"])
    options = " ".join(options)
    return words, f"git clone {options} https://github.com/acme/service-{number}.git"


def push(number, words, change):
    """`change`: a shell command that changes the work tree."""
    url = f"https://github.com/acme/service-{number}.git"
    before = f"git clone -q $GIT_ROOT/acme/service-{number}.git work; git -C work remote set-url origin {url}"
    script = f"cd work; git checkout -q -b task-$$; {change}; git add -A; git commit -qm change; "
    return f"push to service-{number}, {words}", script + "git push origin HEAD", before


FIRST_FILES = "find . -name '*.rs' | sort | head -%d"
APPEND = "for f in $(" + FIRST_FILES + "); do echo '// changed' >>$f; done"
# New files are those of other public sources: what a repository has already is not sent again.
ADD = "mkdir new; cd $GIT_ROOT/work-%d; cp --parents $(find . -name '*.rs' | sort | head -%d) $OLDPWD/new; cd $OLDPWD"
REPOSITORIES = 12


def git(runs):
    return Program(
        version="git --version",
        divisor=20,
        real=REAL_CLIENT,
        stand_in_note=MADE_SERVER + ", git http-backend over HTTP/1.1; repositories of public sources",
        names=("github.com",),
        stand_in=lambda at: stand_ins.git_server(at, ("github.com",), REPOSITORIES),
        runs=runs,
    )


GIT_CLONE = git(
    [
        clone(number, *options)
        for number in range(1, REPOSITORIES + 1)
        for options in ([("--depth", "1")] if number % 2 else [()])
    ]
)

GIT_PUSH = git(
    [
        push(1, "a note", "echo new >NEW.md"),
        push(2, "1 files changed", APPEND % 1),
        push(3, "3 files changed", APPEND % 3),
        push(4, "10 files changed", APPEND % 10),
        push(5, "1 files new", ADD % (9, 1)),
        push(6, "2 files new", ADD % (10, 2)),
        push(7, "3 files new", ADD % (11, 3)),
        push(8, "6 files new", ADD % (12, 6)),
        push(9, "5 files changed", APPEND % 5),
        push(10, "data", "seq 4000 >data.csv"),
        push(11, "2 files changed", APPEND % 2),
        push(12, "4 files new", ADD % (3, 4)),
        push(1, "4 files changed", APPEND % 4),
        push(4, "1 files new", ADD % (8, 1)),
        push(6, "6 files changed", APPEND % 6),
        push(7, "a note", "echo fix >>NOTES.md"),
        push(9, "5 files new", ADD % (2, 5)),
        push(10, "3 files changed", APPEND % 3),
    ]
)

MODEL_NAMES = ("api.anthropic.com", "api.openai.com")

LLM = Program(
    version=f"{PYTHON} -c 'import anthropic, openai;"
    "print(f\"anthropic {anthropic.__version__}, openai {openai.__version__} (Python)\")'",
    divisor=20,
    real="the vendors' clients and their requests",
    stand_in_note="the server, on this machine: pace of tokens, time to the first and lengths of answers"
    " are drawn; the conversations and the time that tools take are made, of files of this repository",
    names=MODEL_NAMES,
    stand_in=lambda at: stand_ins.model_api(at, MODEL_NAMES),
    runs=[
        (f"{vendor}, conversation {number}", f"{PYTHON} {HERE}/agent.py {vendor} {number}")
        for number in range(1, 22)
        for vendor in [["anthropic", "openai", "anthropic", "anthropic"][number % 4]]
    ],
)

WEB_NAMES = ("api.github.com", "raw.githubusercontent.com")
RAW, API = "https://raw.githubusercontent.com/acme/service/main", "https://api.github.com/repos/acme/service"


def curl(what, *commands):
    return what, "; ".join(f"curl -sSf {command} -o /dev/null" for command in commands)


def status(size):
    return f"-H 'Authorization: Bearer ghp_{'x' * 36}' --data-binary @status-{size} {API}/statuses/1"


CURL = Program(
    version="curl --version | head -1 | cut -d' ' -f1,2",
    divisor=60,
    real=REAL_CLIENT,
    stand_in_note=MADE_SERVER + ", HTTP/1.1; what is asked is made",
    names=WEB_NAMES,
    stand_in=lambda at: stand_ins.web_server(at, WEB_NAMES),
    before="for size in 90 240 700 2000 6000; do head -c $size /dev/urandom | base64 >status-$size; done",
    runs=[
        curl("a script", f"{RAW}/bytes-8000"),
        curl("a script and an archive", f"{RAW}/bytes-12000", f"{RAW}/bytes-900000"),
        curl("an archive", f"{RAW}/bytes-4000000"),
        curl("a status", status(240)),
        curl("an answer and a status", f"{API}/pulls/4", status(90)),
        curl("two answers", f"{API}/issues", f"{API}/pulls"),
        curl("a report", status(6000)),
        curl("three files", *(f"{RAW}/bytes-{size}" for size in (400, 30000, 7000))),
        curl("an answer and a report", f"{API}/commits/main", status(2000)),
        curl("two statuses", status(90), status(90)),
        curl("a large archive", f"{RAW}/bytes-20000000"),
        curl("an answer, an archive, a status", f"{API}/releases", f"{RAW}/bytes-300000", status(700)),
    ],
)

API_CALLS = Program(
    version=f"{PYTHON} -c 'import requests, sys;"
    "print(f\"requests {requests.__version__} (Python {sys.version.split()[0]})\")'",
    divisor=20,
    real="the client and its requests",
    stand_in_note=MADE_SERVER + ", HTTP/1.1; what is asked, and the time between, are made",
    names=WEB_NAMES,
    stand_in=lambda at: stand_ins.web_server(at, WEB_NAMES),
    runs=[
        (f"script {number}", f"{PYTHON} {HERE}/api_calls.py {number}") for number in range(1, 16)
    ],
)

PROGRAMS = {
    "pip-install": PIP,
    "npm-install": NPM,
    "cargo-build": CARGO,
    "apt-update": APT,
    "go-build": GO,
    "maven-build": MAVEN,
    "git-clone": GIT_CLONE,
    "git-push": GIT_PUSH,
    "llm-loop": LLM,
    "curl": CURL,
    "api-calls": API_CALLS,
}
