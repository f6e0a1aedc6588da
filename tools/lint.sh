#!/usr/bin/env bash
# tools/lint.sh   style, types and the import contract; all of them run, any of them fails.
set -uo pipefail
cd "$(dirname "$0")/.."
failed=0

check() {
    local name=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "$name: ok"
    else
        echo "$output"
        echo "$name: failed" >&2
        failed=1
    fi
}

check "ruff check" .venv/bin/ruff check .
check "ruff format" .venv/bin/ruff format --check .
check "mypy" .venv/bin/mypy
check "import contract" .venv/bin/lint-imports --no-cache
exit $failed
