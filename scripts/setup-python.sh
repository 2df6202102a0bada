#!/usr/bin/env bash
# Usage: setup-python.sh embedded|bench|dev. Makes .venv with that set of dependencies, pinned by constraints.txt; pip is
# configured by its own environment and files.
set -euo pipefail
cd "$(dirname "$0")/.."
extra=$1

new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
    local name
    for name in python3 python3.13 python3.12 python3.11; do
        if new_enough "$name"; then echo "$name" && return; fi
    done
    echo "TRAPO needs Python 3.11 or newer; python3 here is: $(python3 --version 2>/dev/null || echo missing)." >&2
    return 1
}

make_venv() {
    "$1" -m venv .venv >/dev/null && return
    # Debian keeps venv in a package of its own; what a failed try leaves behind looks like a venv.
    rm -rf .venv
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq python3-venv >/dev/null && "$1" -m venv .venv && return
    fi
    echo "Python cannot make a virtual environment here; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2
    return 1
}

if ! { [ -x .venv/bin/python ] && new_enough .venv/bin/python; }; then
    python=$(find_python)
    make_venv "$python"
fi

echo "Installing Python packages into .venv (once; some minutes with torch) ..."
.venv/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e ".[$extra]"
touch ".venv/.stamp-$extra"
# dev holds all of the others, not the other way round.
if [ "$extra" = dev ]; then touch .venv/.stamp-embedded .venv/.stamp-bench; fi
