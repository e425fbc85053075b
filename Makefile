# `make help` lists the commands; each line after ## is its description.
.DEFAULT_GOAL := help
.PHONY: help run worker check test lint format lock migrate doctor clean

UV_VENV := .tools/uv

help: ## 列出所有命令
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-9s %s\n", $$1, $$2}'

run: ## 启动 API 与一个 worker（./start_backend.sh --with-worker）
	@./start_backend.sh --with-worker

worker: ## 在前台启动一个 worker
	@./start_worker.sh

check: ## 运行 CI 所运行的一切：静态检查与全部测试
	@.ci/run

test: ## 只运行测试；可加参数：make test ARGS="-k retry"
	@./run_tests.sh --tests-only $(ARGS)

lint: ## 只做静态检查：ruff、mypy、import-linter
	@./run_tests.sh --checks-only

format: ## 整理代码格式，并修正可自动修正的问题
	@.venv/bin/python -m ruff check --fix --quiet || true
	@.venv/bin/python -m ruff format

lock: ## 由 requirements*.in 重新锁定 requirements*.txt（uv，含哈希，3.11 至 3.13）
	@test -x $(UV_VENV)/bin/uv || { python3 -m venv $(UV_VENV) && $(UV_VENV)/bin/python -m pip install --quiet uv; }
	@$(UV_VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(LOCK_ARGS) requirements.in -o requirements.txt
	@$(UV_VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(LOCK_ARGS) requirements-traces.in -o requirements-traces.txt
	@$(UV_VENV)/bin/uv pip compile --quiet --universal --generate-hashes --python-version 3.11 $(LOCK_ARGS) requirements-dev.in -o requirements-dev.txt

migrate: ## 创建或升级数据库表
	@.venv/bin/python backend/migrate_db.py

doctor: ## 检查配置与环境，指出问题及解决办法
	@.venv/bin/python -m backend.app.cli doctor

clean: ## 删除缓存（不删除 .venv 与 data）
	@rm -rf .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find backend -name __pycache__ -type d -prune -exec rm -rf {} +
