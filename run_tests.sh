#!/usr/bin/env bash
# Prepares what the tests need on a bare machine with Python 3.11+, then runs every check and every test.
set -uo pipefail

root="$(cd -- "$(dirname -- "$(readlink -f -- "${BASH_SOURCE[0]}")")" && pwd -P)"

usage() {
    cat <<'TEXT'
用法：./run_tests.sh [--ci] [--checks-only | --tests-only] [pytest 的参数……]

  --ci           不允许因缺少软件而跳过测试（环境变量 CI=true 时相同）
  --checks-only  只做静态检查（ruff、mypy、import-linter）
  --tests-only   只运行测试

例：./run_tests.sh --tests-only backend/tests/unit -k retry
TEXT
}

ci=false checks=true tests=true
case "${CI:-}" in true | 1) ci=true ;; esac
rest=()
for argument in "$@"; do
    case "$argument" in
    -h | --help)
        usage
        exit 0
        ;;
    --ci) ci=true ;;
    --checks-only) tests=false ;;
    --tests-only) checks=false ;;
    *) rest+=("$argument") ;;
    esac
done

. "$root/scripts/python.sh"
find_python || exit 3
cd -- "$root" || exit 3
"$python" scripts/prepare.py --dev || exit
python="$root/.venv/bin/python"
export PYTHONPATH="$root"

has_postgresql() { compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || command -v initdb >/dev/null; }

install_postgresql() {
    echo "[准备] 安装 PostgreSQL（Debian 软件包）"
    local log=.tools/apt.log
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -q update &&
        apt-get -qy -o DPkg::Lock::Timeout=120 install --no-install-recommends postgresql; } >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; return 1; }
}

if $tests && ! has_postgresql; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_postgresql || true
    fi
    has_postgresql || echo "[准备] 没有 PostgreSQL，需要它的测试将跳过。安装：sudo apt install postgresql" >&2
fi

has_chinese_font() {
    local font
    for font in /usr/share/fonts/opentype/noto/NotoSansCJK-Regular.ttc /usr/share/fonts/truetype/wqy/wqy-*.ttc; do
        [ ! -e "$font" ] || return 0
    done
    return 1
}

install_chinese_font() {
    echo "[准备] 安装中文字体（Debian 软件包）"
    local log=.tools/apt-fonts.log
    export DEBIAN_FRONTEND=noninteractive
    { apt-get -q update &&
        apt-get -qy -o DPkg::Lock::Timeout=120 install --no-install-recommends fonts-wqy-microhei; } >"$log" 2>&1 ||
        { tail -n 20 "$log" >&2; return 1; }
}

# The tests of text recognition draw their scans.
if $tests && [ "$(uname)" = Linux ] && ! has_chinese_font; then
    if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
        install_chinese_font || true
    fi
    has_chinese_font || echo "[准备] 没有中文字体，需要它的测试将跳过。安装：sudo apt install fonts-wqy-microhei" >&2
fi

failed=()
check() {
    local title="$1" started=$SECONDS
    shift
    if "$@"; then
        echo "✓ $title（$((SECONDS - started)) 秒）"
    else
        echo "✗ $title" >&2
        failed+=("$title")
    fi
}

if $checks; then
    check "ruff" "$python" -m ruff check --quiet
    check "ruff format" "$python" -m ruff format --check --quiet
    check "mypy" "$python" -m mypy
    check "import-linter" "$python" -c 'from importlinter.cli import lint_imports_command; lint_imports_command()' --no-logo
fi

if $tests; then
    # Two processes: more gain nothing on two cores, and the tests that watch the clock suffer.
    options=(-n 2 --dist worksteal -q)
    if $ci; then
        export SA_TESTS_SKIP_NOTHING=1
        options+=(-p backend.tests.nothing_skipped -p no:cacheprovider)
    fi
    [ ${#failed[@]} -eq 0 ] || echo "✗ 未通过的检查：${failed[*]}" >&2
    "$python" -m pytest "${options[@]}" ${rest[@]+"${rest[@]}"} || failed+=("pytest")
else
    [ ${#failed[@]} -eq 0 ] || echo "✗ 未通过的检查：${failed[*]}" >&2
fi
[ ${#failed[@]} -eq 0 ]
