"""The figures of an evaluation as an aligned text table for the terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Sequence

from backend.app.bidding.evaluation import DocumentScore, Evaluation, ItemScore, recall
from backend.app.bidding.evaluation_compliance import ComplianceScore
from backend.app.bidding.evaluation_match import Outcome
from backend.app.bidding.findings import Tab

_TAB_HEADS = {
    Tab.HARD_REQUIREMENTS: "hard",
    Tab.SCORING_ITEMS: "scoring",
    Tab.SUBMISSION_FORMAT: "submit",
    Tab.TECHNICAL_REQUIREMENTS: "tech",
    Tab.COST_ITEMS: "cost",
    Tab.BID_TIMELINE: "timeline",
}
_HEAD = (
    "document", "right", "wrong", "missed", "invented", *_TAB_HEADS.values(),
    "all", "must", "quoted", "per page", "bad", "rects", "scores", "law", "s/page", "cost",
)  # fmt: skip
_OUTCOMES = (Outcome.RIGHT, Outcome.WRONG, Outcome.MISSED, Outcome.INVENTED)


def format_table(evaluation: Evaluation) -> str:
    """One line per document, then the sum, then what the columns mean."""
    rows = [_row(score) for score in evaluation.scores]
    lines = _aligned([_HEAD, *rows, _sum(evaluation)])
    rule = "-" * max(len(line) for line in lines)
    return "\n".join([lines[0], rule, *lines[1:-1], rule, lines[-1], "", *_legend(evaluation)])


def format_misses(evaluation: Evaluation) -> str:
    """Every fact that is not right, every must-item not found, every label of law missed or contradicted."""
    lines: list[str] = []
    for score in evaluation.scores:
        lines.append(score.name)
        lines.extend(
            f"  {fact.outcome.value:8} {fact.name}: expected {fact.expected!r}, given {fact.given!r}"
            for fact in score.facts
            if fact.outcome not in (Outcome.RIGHT, Outcome.ABSENT)
        )
        lines.extend(
            f"  {'not found' if item.located else 'not in the text'} {item.tab}: {item.excerpt}"
            for item in score.items
            if item.must and not item.found
        )
        if score.compliance is not None:
            lines.extend(_law_misses(score.compliance))
    return "\n".join(lines)


def _law_misses(score: ComplianceScore) -> list[str]:
    missed = [f"  law missed: {label.rule} ({label.verdict}): {label.why}" for label in score.missed]
    return missed + [f"  law contradicted: {label.rule} ({label.why})" for label in score.contradicted]


def _row(score: DocumentScore) -> tuple[str, ...]:
    if score.note and not score.facts:
        return (score.name, score.note)
    cells = [str(score.facts_with(outcome)) for outcome in _OUTCOMES]
    cells += _recalls(score.items)
    cells += [
        _percent(score.quoted),
        f"{score.findings / score.pages:.1f}" if score.pages else "-",
        str(score.bad_quotes),
        str(score.wrong_rects),
        {True: "ok", False: "no", None: "-"}[score.scoring_right],
        _law((len(law.found), law.labels) if (law := score.compliance) is not None else None),
        f"{score.seconds / score.pages:.3f}" if score.pages else "-",
        f"{score.cost:.2f}",
    ]
    return (score.name, *cells, *([f"({score.note})"] if score.note else []))


def _recalls(items: Sequence[ItemScore]) -> list[str]:
    cells = [_fraction(item for item in items if item.tab == tab) for tab in _TAB_HEADS]
    return [*cells, _fraction(items), _fraction(item for item in items if item.must)]


def _sum(evaluation: Evaluation) -> tuple[str, ...]:
    counted = evaluation.counted
    items = evaluation.items
    cells = [str(evaluation.total(outcome)) for outcome in _OUTCOMES]
    cells += [_percent(recall(i for i in items if i.tab == tab)) for tab in _TAB_HEADS]
    cells += [_percent(recall(items)), _percent(evaluation.must_recall)]
    labelled = [score for score in counted if score.scoring_right is not None]
    pages = sum(score.pages for score in counted)
    cells += [
        _percent(sum(score.quoted for score in counted) / len(counted)) if counted else "-",
        f"{sum(score.findings for score in counted) / pages:.1f}" if pages else "-",
        str(sum(score.bad_quotes for score in counted)),
        str(sum(score.wrong_rects for score in counted)),
        f"{sum(score.scoring_right is True for score in labelled)}/{len(labelled)}",
        _law(evaluation.compliance),
        f"{sum(score.seconds for score in counted) / pages:.3f}" if pages else "-",
        f"{sum(score.cost for score in counted):.2f}",
    ]
    return (f"sum of {len(counted)}", *cells)


def _legend(evaluation: Evaluation) -> list[str]:
    return [
        f"facts right {_percent(evaluation.facts_right)} of those the documents state; "
        f"invented {evaluation.total(Outcome.INVENTED)}; rightly null {evaluation.total(Outcome.ABSENT)}",
        f"items found {_percent(recall(evaluation.items))}, must-items {_percent(evaluation.must_recall)}",
        "hard … timeline: labelled items found by tab; quoted: share of the text in findings; "
        "bad: quotes that are not the text's; rects: quotes that are not in their boxes of the PDF",
        "scores: sum of the scoring table; law: compliance labels found; s/page: seconds a page",
    ]


def _law(found: tuple[int, int] | None) -> str:
    return "-" if found is None else f"{found[0]}/{found[1]}"


def _fraction(items: Iterable[ItemScore]) -> str:
    known = list(items)
    return f"{sum(item.found for item in known)}/{len(known)}" if known else "-"


def _percent(share: float) -> str:
    return f"{100 * share:.1f}%"


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    columns = max(len(row) for row in rows if len(row) > 2)
    widths = [
        max((_width(row[n]) for row in rows if n < len(row) and len(row) > 2), default=0)
        for n in range(columns)
    ]
    widths[0] = max(_width(row[0]) for row in rows)
    return [_line(row, widths) for row in rows]


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    first = row[0] + " " * (widths[0] - _width(row[0]))
    rest = (" " * (width - _width(cell)) + cell for cell, width in zip(row[1:], widths[1:], strict=False))
    if len(row) == 2:
        return f"{first}  {row[1]}"
    return "  ".join([first, *rest]).rstrip()


def _width(text: str) -> int:
    """Columns on a terminal: East Asian wide characters take two."""
    return sum(2 if unicodedata.east_asian_width(ch) in "WF" else 1 for ch in text)
