#!/usr/bin/env bash
# Prepares everything on a bare machine with Python 3.11+, then serves the API and pages.
set -euo pipefail

root="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"

usage() {
    cat <<'TEXT'
用法：./start_backend.sh [--with-worker] [--host H] [--port P]

  --with-worker  同时启动并看护一个任务 worker（日志另写入 worker.log）
  --host H       监听地址，默认 SA_HOST 或 127.0.0.1
  --port P       监听端口，默认 SA_PORT 或 8000

首次运行会创建 .venv、安装依赖并建立数据库；之后没有变化时直接启动。设置见 .env.example。
TEXT
}

arguments=()
while [ $# -gt 0 ]; do
    case "$1" in
    -h | --help)
        usage
        exit 0
        ;;
    --with-worker | --host=* | --port=*) arguments+=("$1") ;;
    --host | --port)
        if [ $# -lt 2 ]; then
            echo "$1 需要一个值" >&2
            exit 2
        fi
        arguments+=("$1=$2")
        shift
        ;;
    *)
        echo "未知的参数：$1" >&2
        usage >&2
        exit 2
        ;;
    esac
    shift
done

. "$root/scripts/python.sh"
find_python || exit 3

# Relative paths of the settings mean the same in every script and from every folder.
cd -- "$root"
export PYTHONPATH="$root${PYTHONPATH:+:$PYTHONPATH}"
exec "$python" "$root/scripts/prepare.py" --migrate -- -m backend.app.supervise ${arguments[@]+"${arguments[@]}"}
