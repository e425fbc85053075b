"""The operator's commands, as typed: what they print, where, and their exit codes."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from PIL import Image

from backend.app import cli
from backend.app.auth.secret import load_or_create
from backend.app.auth.sessions import bearer
from backend.app.auth.tokens import Tokens
from backend.app.db.engine import Database
from backend.tests.scans_made import page_picture

PASSWORD = "correct-horse-42"
TENDER = """第一章 招标公告
项目名称：某市图书馆物业服务采购
项目编号：XYZ-2025-001
采购人：某市图书馆
预算金额：人民币 1200000 元
投标截止时间：2025年11月20日09时30分
第二章 投标人须知
有下列情形之一的，投标无效：
1、未按要求签字盖章的；
2、投标报价超过最高限价的。
"""


@pytest.fixture
def data(sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A migrated installation of the test's own; its data folder."""
    folder = tmp_path / "data"
    monkeypatch.setenv("SA_DATA_DIR", str(folder))
    monkeypatch.setenv("SA_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("SA_JWT_SECRET", "")
    return folder


def typed(monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO(text))


def created(monkeypatch: pytest.MonkeyPatch, *more: str) -> int:
    typed(monkeypatch, f"{PASSWORD}\n")
    return cli.run(["create-user", "alice", "--password-stdin", *more])


def test_a_created_user_can_be_given_a_token_that_the_api_accepts(
    data: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert created(monkeypatch, "--admin") == 0
    capsys.readouterr()

    assert cli.run(["token", "alice", "--days", "7"]) == 0

    token = capsys.readouterr().out.strip()
    now = datetime.now(UTC)
    claims = Tokens(load_or_create(data)).read(token, now=now)
    assert 6 < (claims.expires_at - now).days + 1 <= 7
    database = Database(sqlite_url)
    with database.read() as conn:
        user = bearer(conn, claims, now)
    database.dispose()
    assert user is not None
    assert (user.username, user.role) == ("alice", "admin")


def test_a_new_password_ends_the_tokens(
    data: Path, sqlite_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    created(monkeypatch)
    cli.run(["token", "alice"])
    token = capsys.readouterr().out.strip()
    typed(monkeypatch, "another-good-one-7\n")

    assert cli.run(["reset-password", "alice", "--password-stdin"]) == 0

    now = datetime.now(UTC)
    claims = Tokens(load_or_create(data)).read(token, now=now)
    database = Database(sqlite_url)
    with database.read() as conn:
        assert bearer(conn, claims, now) is None
    database.dispose()


@pytest.mark.parametrize(("password", "said"), [("short", "密码"), ("password", "密码")])
def test_a_weak_password_is_refused(
    data: Path, password: str, said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    typed(monkeypatch, f"{password}\n")

    assert cli.run(["create-user", "alice", "--password-stdin"]) == 1

    assert said in capsys.readouterr().err


def test_a_name_that_is_taken_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    created(monkeypatch)

    assert created(monkeypatch) == 1

    assert "用户名已被使用" in capsys.readouterr().err


def test_an_unknown_user_is_named(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["token", "nobody"]) == 1

    said = capsys.readouterr()
    assert "nobody" in said.err
    assert said.out == ""


def test_a_database_that_was_never_migrated_is_told_how_to_be(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SA_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")

    assert cli.run(["token", "alice"]) == 1

    assert "python backend/migrate_db.py" in capsys.readouterr().err


def test_a_database_that_is_away_is_told_so(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SA_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none")

    assert cli.run(["token", "alice"]) == 1

    said = capsys.readouterr().err
    assert "doctor" in said
    assert "secret" not in said


def test_a_bad_setting_is_named_and_ends_with_2(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SA_PORT", "abc")

    assert cli.run(["doctor"]) == 2

    assert "SA_PORT" in capsys.readouterr().err


def test_analyze_prints_a_result_whose_excerpts_are_of_the_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Neither a server nor a database is needed."""
    file = tmp_path / "招标 文件.txt"
    file.write_text(TENDER, encoding="utf-8")

    assert cli.run(["analyze", str(file), "--format", "json"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert result["engine"]["mode"] == "rules"
    assert len(result["tabs"]) == 6
    assert result["document"]["filename"] == "招标 文件.txt"
    assert result["facts"]["project_number"]["value"] == "XYZ-2025-001"
    excerpts = [item["source_excerpt"] for tab in result["tabs"] for item in tab["items"]]
    assert excerpts
    assert all("".join(text.split()) in "".join(TENDER.split()) for text in excerpts)


def test_analyze_prints_markdown_unless_told_otherwise(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.txt"
    file.write_text(TENDER, encoding="utf-8")

    assert cli.run(["analyze", str(file)]) == 0

    assert capsys.readouterr().out.startswith("# 标书分析")


@pytest.mark.timeout(600)  # seconds alone, minutes on a machine that is busy
def test_analyze_reads_a_scan(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    page_picture(["项目编号：XYZ-2025-001"], size=(900, 300)).save(tmp_path / "a.png")

    assert cli.run(["analyze", str(tmp_path / "a.png"), "--format", "json"]) == 0

    result = json.loads(capsys.readouterr().out)
    assert result["document"]["ocr_pages"] == [1]
    assert result["facts"]["project_number"]["value"] == "XYZ-2025-001"
    assert result["facts"]["project_number"]["source"]["rects"]


def test_analyze_says_that_ocr_is_switched_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SA_OCR_MAX_PAGES", "0")
    Image.new("RGB", (60, 40), "white").save(tmp_path / "a.png")

    assert cli.run(["analyze", str(tmp_path / "a.png")]) == 1
    cli.run(["doctor"])

    told = capsys.readouterr()
    assert "OCR" in told.err
    assert "SA_OCR_MAX_PAGES=0" in told.out


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("a.txt", b"", "没有可分析的文字"),
        ("a.exe", b"MZ\x90\x00\x03", "不支持"),
        ("a.pdf", b"%PDF-1.4 x", ""),
    ],
)
def test_analyze_says_what_is_wrong_with_a_file(
    name: str, content: bytes, said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / name
    file.write_bytes(content)

    assert cli.run(["analyze", str(file)]) == 1

    told = capsys.readouterr()
    assert said in told.err
    assert "Traceback" not in told.err
    assert told.out == ""


@pytest.mark.parametrize(
    ("format", "start"),
    [
        ("docx", b"PK"),
        ("xlsx", b"PK"),
        ("md", "# 标书分析".encode()),
        ("ics", b"BEGIN:VCALENDAR"),
        ("json", b"{"),
    ],
)
def test_analyze_writes_every_format_to_a_file_or_a_pipe(
    format: str,  # noqa: A002
    start: bytes,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    file, out = tmp_path / "a.txt", tmp_path / f"报告.{format}"
    file.write_text(TENDER, encoding="utf-8")

    assert cli.run(["analyze", str(file), "--format", format, "-o", str(out)]) == 0
    told = capfdbinary.readouterr()
    assert cli.run(["analyze", str(file), "--format", format]) == 0
    piped = capfdbinary.readouterr()

    assert out.read_bytes().startswith(start)
    assert told.out == b""
    assert str(out) in told.err.decode()
    assert piped.out.startswith(start)


def test_analyze_overwrites_nothing_it_read_and_says_where_it_cannot_write(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "a.txt"
    file.write_text(TENDER, encoding="utf-8")

    assert cli.run(["analyze", str(file), "-o", str(file)]) == 1
    assert cli.run(["analyze", str(file), "-o", str(tmp_path / "none" / "b.md")]) == 1

    said = capsys.readouterr().err
    assert "标书文件本身" in said
    assert "无法写入" in said
    assert file.read_text(encoding="utf-8") == TENDER


def test_analyze_makes_no_calendar_without_dates(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "a.txt"
    file.write_text("投标文件未密封的，拒收。", encoding="utf-8")

    assert cli.run(["analyze", str(file), "--format", "ics"]) == 1

    assert "没有写明具体日期" in capsys.readouterr().err


def test_doctor_finds_nothing_wrong_with_a_fresh_installation(
    data: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["doctor"]) == 0

    said = capsys.readouterr().out
    assert "✗" not in said
    assert "./start_worker.sh" in said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("SA_DATABASE_URL", "postgresql://nobody:secret@127.0.0.1:1/none", "无法连接"),
        ("SA_DATABASE_URL", "mysql://a/b", "SA_DATABASE_URL 无效"),
        ("SA_JWT_SECRET", "short", "SA_JWT_SECRET"),
        ("SA_DATA_DIR", "/proc/none", "数据目录"),
        ("BIDDING_ASSISTANT_LLM_PROVIDER", "openai_compatible", "BIDDING_ASSISTANT_LLM_MODEL"),
        ("SA_LLM_CONFIG", "/nowhere/llm.toml", "SA_LLM_CONFIG"),
    ],
)
def test_doctor_names_what_is_wrong_and_how_to_mend_it(
    name: str,
    value: str,
    said: str,
    data: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(name, value)

    assert cli.run(["doctor"]) == 1

    lines = capsys.readouterr().out.splitlines()
    (at,) = [n for n, line in enumerate(lines) if line.startswith("✗") and said in line]
    assert lines[at + 1].strip().startswith("解决办法：")
    assert "secret" not in "".join(lines)


def test_doctor_finds_a_database_that_was_not_migrated(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SA_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")

    assert cli.run(["doctor"]) == 1

    assert "python backend/migrate_db.py" in capsys.readouterr().out


def test_evaluate_prints_each_document_and_the_sum(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Facts and items of the label are compared with what the rules find."""
    (tmp_path / "lib.txt").write_text(TENDER, encoding="utf-8")
    gold = {
        "facts": {"project_number": {"value": "XYZ-2025-001"}, "budget": {"value": 999}},
        "items": [
            {"tab": "hard_requirements", "excerpt": "1、未按要求签字盖章的；", "must": True},
        ],
    }
    (tmp_path / "lib.gold.json").write_text(json.dumps(gold, ensure_ascii=False), encoding="utf-8")

    assert cli.run(["evaluate", str(tmp_path), "--misses"]) == 0

    said = capsys.readouterr().out
    assert "lib.txt" in said
    assert "budget" in said


def test_evaluate_says_when_there_is_nothing_to_compare(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.run(["evaluate", str(tmp_path)]) == 1

    assert "gold.json" in capsys.readouterr().err
