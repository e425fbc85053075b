"""The figures to reach on the real tenders, where they are at hand; see docs/evaluation.md."""

from __future__ import annotations

from pathlib import Path

import pytest

from backend.app.bidding.analysis import analyse_with_rules
from backend.app.bidding.evaluation import Evaluation, evaluate_folder, recall
from backend.app.bidding.evaluation_match import Outcome
from backend.app.bidding.evaluation_table import format_misses
from backend.app.bidding.findings import Analysis
from backend.app.documents.canonical import Document
from backend.app.documents.extract import extract

_FOLDER = Path(__file__).resolve().parents[4] / "shared" / "samples" / "tenders"
pytestmark = pytest.mark.skipif(not _FOLDER.is_dir(), reason="the samples are not part of the repository")


def _analyse(path: Path) -> tuple[Document, Analysis]:
    document = extract(path, path.name)
    return document, analyse_with_rules(document)


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    return evaluate_folder(_FOLDER, _analyse)


def test_facts_are_right_and_nothing_is_invented(evaluation: Evaluation) -> None:
    assert evaluation.facts_right >= 0.85, format_misses(evaluation)
    assert evaluation.total(Outcome.INVENTED) <= 1, format_misses(evaluation)


def test_must_items_are_found_in_a_small_share_of_the_text(evaluation: Evaluation) -> None:
    quoted = [score.quoted for score in evaluation.counted]

    assert evaluation.must_recall >= 0.85, format_misses(evaluation)
    assert recall(evaluation.items) >= 0.75
    assert max(quoted) <= 0.12


def test_scoring_tables_add_up(evaluation: Evaluation) -> None:
    known = [score.scoring_right for score in evaluation.counted if score.scoring_right is not None]

    assert sum(known) >= 0.8 * len(known)


def test_every_quote_is_the_text_and_lies_in_its_boxes(evaluation: Evaluation) -> None:
    assert sum(score.bad_quotes for score in evaluation.scores) == 0
    assert sum(score.wrong_rects for score in evaluation.scores) == 0


def test_a_poorer_form_of_a_document_gives_the_same_facts_or_none(evaluation: Evaluation) -> None:
    copies = [score for score in evaluation.scores if score.facts and not score.counted]

    assert copies
    for copy in copies:
        assert copy.facts_with(Outcome.WRONG) + copy.facts_with(Outcome.INVENTED) == 0, copy
