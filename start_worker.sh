#!/usr/bin/env bash
# The same preparation as start_backend.sh, then one task worker in the foreground.
set -euo pipefail

root="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"

if [ $# -gt 0 ]; then
    cat <<'TEXT'
用法：./start_worker.sh

在前台运行一个任务 worker，日志同时写入 worker.log。可以启动多个。设置见 .env.example。
TEXT
    case "$1" in
    -h | --help) exit 0 ;;
    *) exit 2 ;;
    esac
fi

. "$root/scripts/python.sh"
find_python || exit 3

cd -- "$root"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
if [ -z "${SA_LOG_FILE:-}" ] && ! grep -qs '^[[:space:]]*\(export \)\?SA_LOG_FILE=.' .env; then
    export SA_LOG_FILE="$root/worker.log"
fi
exec "$python" "$root/scripts/prepare.py" --migrate -- -m backend.app.tasks.worker
