"""What comes from the OCR child is checked to the last number; which pages stay unread is said in words."""

from __future__ import annotations

import copy
import json

import pytest

from backend.app.common.errors import DocumentNeedsOCR
from backend.app.documents.canonical import Document
from backend.app.documents.ocr.pages import MAX_LINES, OcrLine, OcrPage, page_list
from backend.app.documents.reading import Reader, unread_gaps
from backend.app.documents.sandbox import ParsePool

PAGE = OcrPage(
    (OcrLine("★投标", (100, 200, 3000, 900), (500, 1500, 2500), 97),),
    ((0, 5, 65534, 9),),
    turn=3,
    slope=-1200,
)
TOLD = json.loads(json.dumps(PAGE.as_json()))


def test_a_page_survives_json():
    assert OcrPage.from_json(TOLD) == PAGE


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (("turn",), 4),
        (("turn",), True),
        (("slope",), 1.5),
        (("lines",), None),
        (("lines",), [{}] * (MAX_LINES + 1)),
        (("rules",), [[1, 2, 3]]),
        (("rules",), [[1, 2, 3, 65535]]),
        (("rules",), [[5, 2, 3, 9]]),
        (("lines", 0, "text"), ""),
        (("lines", 0, "text"), "两字"),
        (("lines", 0, "text"), "\ud800投标"),
        (("lines", 0, "score"), 101),
        (("lines", 0, "box"), ["0", 0, 1, 1]),
        (("lines", 0, "middles"), [1, 2, -3]),
    ],
)
def test_nonsense_is_no_page(path, value):
    told = copy.deepcopy(TOLD)
    inner = told
    for step in path[:-1]:
        inner = inner[step]
    inner[path[-1]] = value

    with pytest.raises(ValueError):
        OcrPage.from_json(told)


@pytest.mark.parametrize("told", [None, [], "page", {}, {"lines": [], "rules": []}])
def test_what_is_no_object_of_these_keys_is_no_page(told):
    with pytest.raises(ValueError):
        OcrPage.from_json(told)


def test_a_page_is_doubtful_by_its_letters_not_its_lines():
    sure = OcrLine("投" * 90, (0, 0, 9, 9), (0,) * 90, 99)
    stamp = OcrLine("印章", (0, 0, 9, 9), (0, 0), 55)

    assert not OcrPage((sure, stamp)).is_doubtful
    assert OcrPage((stamp,)).is_doubtful
    assert not OcrPage(()).is_doubtful


def test_page_numbers_are_written_as_people_do():
    assert page_list([7, 1, 3, 2, 9, 2]) == "1–3、7、9"


def test_pages_that_failed_and_pages_beyond_the_limit_are_told_apart():
    """Page 4 was tried without success; with a limit of three pages nobody tried 8 and 9."""
    document = Document("甲", (), unread=(4, 8, 9), ocr_pages=(2, 5))

    failed, beyond = unread_gaps(document, 3)

    assert failed["part"] == "第 4 页"
    assert beyond["part"] == "第 8–9 页"
    assert "3 页" in beyond["reason"]
    assert unread_gaps(Document("甲", ()), 3) == []


def test_every_unread_page_is_named_in_a_warning():
    reader = Reader(ParsePool(1), max_ocr_pages=1)

    document = reader.finished(Document("甲", (), unread=(3, 4), warnings=("旧",)))

    assert document.warnings[0] == "旧"
    assert [("第 3 页" in note, "第 4 页" in note) for note in document.warnings[1:]] == [
        (True, False),
        (False, True),
    ]


def test_a_scan_of_which_nothing_was_read_is_an_error():
    with pytest.raises(DocumentNeedsOCR):
        Reader(ParsePool(1), max_ocr_pages=0).finished(Document("", (), unread=(1,)))
