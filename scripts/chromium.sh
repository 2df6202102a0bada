#!/usr/bin/env bash
# Sees to it that the browser tests find a Chromium. Without one they skip, and say so; this never fails.
set -euo pipefail

for name in chromium chromium-browser google-chrome; do
    if command -v "$name" >/dev/null; then exit 0; fi
done
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "Installing Chromium for the browser tests ..."
    if apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq chromium >/dev/null; then exit 0; fi
fi
echo "No Chromium here: the browser tests will be skipped. On Debian: sudo apt-get install chromium"
