#!/usr/bin/env bash
# Pictures of the dashboard into docs/screenshots, of the service that `make demo` runs in another shell.
set -euo pipefail
cd "$(dirname "$0")/.."

if [ ! -e "$TRAPO_HOME/service.json" ]; then
    echo "No service runs in $TRAPO_HOME: start \`make demo\` in another shell, and wait for its result." >&2
    exit 1
fi
login=$(.venv/bin/trapo login-link)
TRAPO_BROWSER_URL=${login%%/login*} TRAPO_LOGIN_URL=$login .venv/bin/pytest tests/browser/test_screenshots.py
