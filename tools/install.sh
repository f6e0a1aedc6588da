#!/usr/bin/env bash
# tools/install.sh EXTRA...   install this checkout with these extras into .venv, unless that is already so.
#
# What was installed is remembered as a checksum of everything the installation depends on, so the second run asks
# nothing of the network. Exact versions come from constraints.txt.
set -euo pipefail
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
extras=$(IFS=,; echo "$*")
stamp=.venv/.installed-${extras//,/-}

wanted=$({ cat pyproject.toml setup.py constraints.txt tools/install.sh; pwd; } | sha256sum | cut -d' ' -f1)
if [ -x .venv/bin/python ] && [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then
    exit 0
fi

if ! [ -x .venv/bin/python ]; then
    "$python" -c 'import sys; sys.exit(sys.version_info < (3, 10))' || {
        echo "$python is missing or older than 3.10; name another with PYTHON=..., for example: PYTHON=python3.12 make demo" >&2
        exit 2
    }
    echo "creating .venv with $("$python" --version)"
    "$python" -m venv .venv || {
        rm -rf .venv
        echo "the venv module does not work; on Debian and Ubuntu: sudo apt-get install python3-venv" >&2
        exit 2
    }
fi

echo "installing joyai_ros[$extras] into .venv (once)"
pip=(.venv/bin/python -m pip --disable-pip-version-check install --quiet --quiet --constraint constraints.txt)
"${pip[@]}" setuptools
# Without build isolation nothing is fetched when all requirements are already there.
"${pip[@]}" --no-build-isolation --editable ".[$extras]"
echo "$wanted" > "$stamp"
