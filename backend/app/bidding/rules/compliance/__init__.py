"""Law and consistency checks over a document's facts and text; docs/compliance.md lists them."""

from backend.app.bidding.rules.compliance.case import Case
from backend.app.bidding.rules.compliance.checks import check_compliance

__all__ = ["Case", "check_compliance"]
