#!/usr/bin/env bash
# Lighthouse's scores of the dashboard, of a service told for it. It lives outside of the repository: nothing here needs it.
set -euo pipefail
cd "$(dirname "$0")/.."
version=12.8.2
home=${LIGHTHOUSE_HOME:-${TMPDIR:-/tmp}/trapo-lighthouse-$version}

if [ ! -x "$home/node_modules/.bin/lighthouse" ]; then
    echo "Installing Lighthouse $version into $home ..."
    mkdir -p "$home"
    scripts/with-node.sh npm --prefix "$home" install --no-audit --no-fund --loglevel=error "lighthouse@$version"
fi
TRAPO_LIGHTHOUSE=$home/node_modules/.bin/lighthouse scripts/with-node.sh .venv/bin/pytest -q -s tests/browser/test_lighthouse.py
