#!/usr/bin/env bash
# Installs the dashboard's packages as package-lock.json says.
set -euo pipefail
cd "$(dirname "$0")/../frontend"
log=$(mktemp)
trap 'rm -f "$log"' EXIT

echo "Installing the dashboard's packages ..."
if npm ci --no-audit --no-fund --loglevel=error >"$log" 2>&1; then exit 0; fi
# `npm ci` refuses a lock file that lacks the optional packages of other platforms, as a partial mirror of the registry
# makes it; `npm install --no-save` takes the same versions and leaves the lock file alone.
if ! grep -q 'from lock file' "$log" || ! npm install --no-save --no-audit --no-fund --loglevel=error >"$log" 2>&1; then
    cat "$log" >&2
    exit 1
fi
