"""Recognition itself, in its child process. Every page costs seconds, so few are read and each shows much."""

from __future__ import annotations

import asyncio
import os
import signal
import time
import zipfile

import pytest

from backend.app.common.errors import DocumentError, ParseLimitExceeded, UnreadableDocument
from backend.app.documents.canonical import BlockKind
from backend.app.documents.ocr.limits import OcrLimits
from backend.app.documents.ocr.process import OcrFile
from backend.app.documents.ocr.session import OcrDesk
from backend.app.documents.reading import Reader, read_file
from backend.app.documents.sandbox import ParsePool
from backend.tests.documents_made import assert_lawful, texts
from backend.tests.fakes import ocr_child
from backend.tests.fakes.ocr_child import ocr_child_started, ocr_children
from backend.tests.scans_made import A4, page_picture, scanned_pdf

pytestmark = pytest.mark.timeout(600)  # seconds alone, minutes on a machine that is busy

_SMALL = (900, 420)
_LAYER = "The bidder shall submit the tender documents before the deadline stated in the notice. " * 6


def _scan(tmp_path, pages=2):
    pictures = [page_picture([f"第{at}页的文字"], size=_SMALL) for at in range(1, pages + 1)]
    return scanned_pdf(tmp_path / "scan.pdf", *pictures)


async def test_a_scanned_page_comes_back_letter_for_letter_with_its_table(tmp_path):
    """The signs that a tender's meaning hangs on are among them."""
    lines = [
        "第三章 评标办法",
        "★投标截止时间：2031年3月1日9时30分",
        "▲响应时间≤2小时，系统可用率≥99.5%",
        "投标保证金：人民币80,000.00元（大写：捌万元整）",
    ]
    table = [["序号", "评审因素", "分值"], ["1", "投标报价", "30"], ["2", "技术方案", "45"]]
    page_picture(lines, table).save(tmp_path / "a.png")

    document = await read_file(Reader(ParsePool(1)), tmp_path / "a.png", "a.png")

    assert_lawful(document)
    read = texts(document)
    assert read[0].replace(" ", "") == "第三章评标办法"
    assert document.blocks[0].kind is BlockKind.HEADING
    assert [line.replace(" ", "").replace(",", "，").replace(":", "：") for line in read[1:4]] == [
        line.replace(",", "，") for line in lines[1:]
    ]
    (rows,) = document.tables()
    assert [[document.text[cell.start : cell.end] for cell in row] for row in rows] == table
    assert (document.ocr_pages, document.unread, document.warnings) == ((1,), (), ())
    at = document.text.index("45")
    (rect,) = document.rects(at, at + 2)
    # Where `page_picture` has drawn it: the third column's text, a letter from its line.
    left, across = 0.12 * A4[0], (0.76 * A4[0]) // 3
    assert rect.x * A4[0] == pytest.approx(left + 2 * across + 25, abs=12)


async def test_pages_that_need_it_are_read_and_the_others_left_alone(tmp_path):
    """A text layer, a page scanned on its side, one that is crooked; in the order of the pages."""
    sideways = page_picture(["投标人须知前附表说明", "投标有效期为九十日历天"], size=_SMALL).rotate(
        90, expand=True
    )
    crooked = page_picture(
        ["开标地点为市公共资源交易中心", "本项目不接受联合体投标"],
        [["甲方", "乙方"], ["丙方", "丁方"]],
        size=(900, 700),
    ).rotate(-1, fillcolor="white")
    path = scanned_pdf(tmp_path / "a.pdf", _LAYER, sideways, crooked)

    document = await read_file(Reader(ParsePool(1)), path, "a.pdf")

    assert_lawful(document)
    assert (document.ocr_pages, document.unread) == ((2, 3), ())
    read = texts(document)
    assert read[0].startswith("The bidder shall")
    assert "投标有效期为九十日历天" in read
    assert "本项目不接受联合体投标" in read
    assert [[document.text[cell.start : cell.end] for cell in row] for row in next(document.tables())] == [
        ["甲方", "乙方"],
        ["丙方", "丁方"],
    ]
    (page,) = [page for page in document.pages if page.number == 2]
    assert page.width < page.height  # as displayed: on its side
    at = document.text.index("九十")
    rects = document.rects(at, at + 2)
    assert all(rect.page == 2 and rect.x < 0.5 for rect in rects)  # its upper part is on the left


async def test_a_page_that_kills_the_child_is_lost_and_the_next_one_is_read(tmp_path):
    desk = OcrDesk()
    async with desk.session(OcrFile(_scan(tmp_path), is_pdf=True)) as session:
        asking = asyncio.create_task(session.page(1))
        (await ocr_child_started()).send_signal(signal.SIGKILL)
        with pytest.raises(ParseLimitExceeded):
            await asking

        page = await session.page(2)

    assert "第2页" in "".join(line.text for line in page.lines).replace(" ", "")
    assert ocr_children() == []


async def test_cancelling_ends_the_child_at_once_and_frees_its_place(tmp_path):
    desk = OcrDesk()

    async def work():
        async with desk.session(OcrFile(_scan(tmp_path), is_pdf=True)) as session:
            await session.page(1)

    task = asyncio.create_task(work())
    child = await ocr_child_started()
    await asyncio.sleep(0.2)
    begun = time.monotonic()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert time.monotonic() - begun < 2
    assert not child.is_running()
    async with asyncio.timeout(1):
        await desk.enter()


@pytest.mark.parametrize(
    "limits",
    [OcrLimits(start_seconds=0.05), OcrLimits(memory_bytes=150 * 1024 * 1024)],
    ids=["seconds", "memory"],
)
async def test_limits_end_a_child_and_are_told_as_errors_of_the_document(tmp_path, limits):
    async with OcrDesk(limits).session(OcrFile(_scan(tmp_path, 1), is_pdf=True)) as session:
        with pytest.raises(DocumentError):
            await session.page(1)

    assert ocr_children() == []


async def test_a_page_that_does_not_exist_is_an_error_of_this_page_only(tmp_path):
    """The child says so; nothing of its memory or of our secrets was in its reach."""
    os.environ["SA_JWT_SECRET"] = "geheim"
    try:
        async with OcrDesk().session(OcrFile(_scan(tmp_path, 1), is_pdf=True)) as session:
            asking = asyncio.create_task(session.page(9))
            environment = (await ocr_child_started()).environ()
            with pytest.raises(UnreadableDocument):
                await asking
    finally:
        del os.environ["SA_JWT_SECRET"]

    assert "geheim" not in str(environment)


def _fake(**limits):
    return OcrDesk(OcrLimits(**limits), module="backend.tests.fakes.ocr_child")


async def test_two_files_take_turns_with_one_child(tmp_path):
    """Who reads many pages lets the next one in; there is never a second child."""
    desk, order = _fake(turn=1), []

    async def read(name):
        async with desk.session(OcrFile(tmp_path / name, is_pdf=True)) as session:
            for number in (1, 2):
                await session.page(number)
                order.append(name)
                assert len(ocr_children()) == 1

    await asyncio.gather(read("甲"), read("乙"))

    assert order == ["甲", "乙", "甲", "乙"]
    assert ocr_children() == []


async def test_one_file_alone_keeps_its_child(tmp_path):
    async with _fake(turn=1).session(OcrFile(tmp_path / "a", is_pdf=True)) as session:
        await session.page(1)
        (first,) = ocr_children()
        await session.page(2)

        assert ocr_children() == [first]


@pytest.mark.parametrize(
    ("number", "error"),
    [
        (ocr_child.DIES, UnreadableDocument),
        (ocr_child.HANGS, ParseLimitExceeded),
        (ocr_child.TALKS_NONSENSE, UnreadableDocument),
        (ocr_child.TALKS_ENDLESSLY, UnreadableDocument),
    ],
)
async def test_a_page_goes_wrong_in_any_way_and_a_new_child_reads_the_next(tmp_path, number, error):
    async with _fake(page_seconds=1.0, page_bytes=10_000).session(
        OcrFile(tmp_path / "a", is_pdf=True)
    ) as session:
        await session.page(1)
        (first,) = ocr_children()
        with pytest.raises(error):
            await session.page(number)

        page = await session.page(2)

        assert [line.text for line in page.lines] == ["第2页"]
        assert first not in ocr_children()


async def test_scans_inside_a_package_are_read_where_they_stand(tmp_path):
    """A picture and a scanned PDF beside a text file: each page is found in its own file."""
    picture = tmp_path / "营业执照.png"
    page_picture(["统一社会信用代码示例"], size=(900, 500)).save(picture)
    scan = _scan(tmp_path, 1)
    package = tmp_path / "采购文件.zip"
    with zipfile.ZipFile(package, "w") as made:
        made.writestr("采购文件.txt", "投标有效期90天。")
        made.write(scan, "附件1.pdf")
        made.write(picture, "附件2.png")

    document = await read_file(Reader(ParsePool(1)), package, package.name)

    assert (document.unread, document.ocr_pages) == ((), (1, 2))
    for name, words in (("附件1.pdf", "第1页"), ("附件2.png", "统一社会信用代码")):
        at = document.text.index(words)
        file = document.file_at(at)
        assert file is not None and file.name == name
        assert {rect.page for rect in document.rects(at, at + len(words))} == {file.first_page}
    assert document.warnings == ()
