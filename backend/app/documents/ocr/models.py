"""Where the models of RapidOCR lie: inside its wheel, so that nothing is looked up, fetched or written."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

MODELS = {
    "Det": "PP-OCRv6_det_small.onnx",
    "Rec": "PP-OCRv6_rec_small.onnx",
    "Cls": "ch_ppocr_mobile_v2.0_cls_mobile.onnx",
}


def model_paths() -> dict[str, Path]:
    """By RapidOCR's name of the part. Raises FileNotFoundError when one is missing."""
    spec = find_spec("rapidocr")
    if spec is None or spec.origin is None:
        raise FileNotFoundError("rapidocr")
    folder = Path(spec.origin).parent / "models"
    paths = {part: folder / name for part, name in MODELS.items()}
    missing = [path.name for path in paths.values() if not path.is_file()]
    if missing:
        raise FileNotFoundError(", ".join(missing))
    return paths
