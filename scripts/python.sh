# Sourced with $root set: finds an interpreter to begin with, in $python. An existing .venv is the quickest.

runs_311() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }

find_python() {
    local made="$root/.venv"
    # Only a finished one, whose packages lie where its Python looks (it may have been upgraded since).
    local look='import os, sys; sys.exit(not os.path.isdir("%s/lib/python%d.%d" % (sys.prefix, *sys.version_info[:2])))'
    if [ -z "${PYTHON:-}" ] && [ -e "$made/installed.json" ] && "$made/bin/python" -c "$look" >/dev/null 2>&1; then
        python="$made/bin/python"
        return 0
    fi
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3.13 python3.12 python3.11 python3 python; do
        if command -v "$candidate" >/dev/null 2>&1 && runs_311 "$candidate"; then
            python="$(command -v "$candidate")"
            return 0
        fi
    done
    cat >&2 <<'MESSAGE'
没有找到 Python 3.11 或更高版本（支持 3.11 至 3.13）。
  Debian / Ubuntu：sudo apt install python3 python3-venv
  已装在别处时：  PYTHON=/path/to/python3.12 后接本命令
Python 3.11 or newer was not found. Install it, or set PYTHON=/path/to/python3.12.
MESSAGE
    return 1
}
