"""RapidOCR on one page image: where its lines are, what they say, how the page lies. For the child only."""

from __future__ import annotations

import importlib
import math
from typing import Any

from backend.app.documents.glyphs import clean
from backend.app.documents.ocr.models import model_paths
from backend.app.documents.ocr.pages import MAX_LINE, MAX_LINES, SCALE, SLOPE_UNIT, Frame, OcrLine, OcrPage
from backend.app.documents.ocr.ruling import find_rules

np: Any = importlib.import_module("numpy")
cv2: Any = importlib.import_module("cv2")

_LONGEST_SIDE = 10_000  # pixels: images are made the right size before they come here
_BATCH = 2  # lines recognised together: six take 300 MB more and save no time
_MIN_SCORE = 0.5  # below it is no text: stamps, pictures
_TALL = 1.5  # height to width of a box whose text stands on its side
_JUDGED = 12  # lines that tell whether a page stands on its head
_SLANT = math.tan(math.radians(5))  # a watermark leans more than the page does


class Engine:
    """The loaded models."""

    def __init__(self, threads: int) -> None:
        rapidocr = importlib.import_module("rapidocr")
        runtime = "EngineConfig.onnxruntime"
        cv2.setNumThreads(threads)
        self._ocr: Any = rapidocr.RapidOCR(
            params={
                "Global.log_level": "critical",
                "Global.max_side_len": _LONGEST_SIDE,
                "Global.return_word_box": True,
                "Rec.rec_batch_num": _BATCH,
                f"{runtime}.intra_op_num_threads": threads,
                f"{runtime}.inter_op_num_threads": 1,
                **{f"{part}.model_path": str(path) for part, path in model_paths().items()},
            }
        )
        # Loaded now, so that a page's time is its own.
        self._ocr(np.full((64, 256, 3), 255, np.uint8))
        self._ocr.cls_and_rotate([np.full((48, 192, 3), 255, np.uint8)])
        self._ocr.recognize_txt([np.full((48, 192, 3), 255, np.uint8)])

    def read(self, image: Any) -> OcrPage:
        """A page from its BGR image."""
        image, turn, crops, quads = self._upright(image)
        slope = _slope(quads)
        height, width = image.shape[:2]
        lines = self._lines(crops, quads, slope, width, height) if quads else []
        rules = tuple(_frame(box, width, height) for box in find_rules(image, slope, _line_height(quads)))
        return OcrPage(tuple(lines), rules, turn, round(slope * SLOPE_UNIT))

    def _upright(self, image: Any) -> tuple[Any, int, list[Any], list[Any]]:
        """Turn a page that lies on its side or stands on its head; with the crops and boxes of its lines."""
        turn = 0
        crops, quads = self._detect(image)
        if _lies_on_its_side(quads):
            turn, image = 1, np.ascontiguousarray(np.rot90(image))
            crops, quads = self._detect(image)
        if crops and self._is_head_down(crops):
            turn, image = turn + 2, np.ascontiguousarray(np.rot90(image, 2))
            crops, quads = self._detect(image)
        return image, turn, crops, quads

    def _detect(self, image: Any) -> tuple[list[Any], list[Any]]:
        found = self._ocr(image, use_det=True, use_cls=False, use_rec=False)
        boxes = getattr(found, "boxes", None)
        quads = [] if boxes is None else [np.float32(box) for box in boxes][:MAX_LINES]
        return self._ocr.crop_text_regions(image, quads), quads

    def _is_head_down(self, crops: list[Any]) -> bool:
        longest = sorted(crops, key=lambda crop: crop.shape[1] / crop.shape[0])[-_JUDGED:]
        judged = self._ocr.cls_and_rotate(longest)[1].cls_res
        return bool(sum(label == "180" and score > 0.8 for label, score in judged) > 0.6 * len(judged))

    def _lines(
        self, crops: list[Any], quads: list[Any], slope: float, width: int, height: int
    ) -> list[OcrLine]:
        found = self._ocr.recognize_txt(crops)
        lines = []
        for quad, text, score, word in zip(quads, found.txts, found.scores, found.word_results, strict=True):
            if score < _MIN_SCORE or not text.strip() or _is_slanted(quad, slope):
                continue
            box = _level_box(quad, slope, width, height)
            text, shares = _letters(text, word)
            if text:
                frame = _frame(box, width, height)
                middles = tuple(round(frame[0] + share * (frame[2] - frame[0])) for share in shares)
                lines.append(OcrLine(text, frame, middles, round(100 * score)))
        return lines


def _lies_on_its_side(quads: list[Any]) -> bool:
    shapes = [(_length(quad[0], quad[1]), _length(quad[1], quad[2])) for quad in quads]
    tall = sum(height for width, height in shapes if height > _TALL * width)
    wide = sum(width for width, height in shapes if width > _TALL * height)
    return tall > 2 * wide


def _line_height(quads: list[Any]) -> float:
    """The middle one of the lines' heights, in pixels; 0 where there are none."""
    heights = sorted(min(_length(quad[0], quad[1]), _length(quad[1], quad[2])) for quad in quads)
    return heights[len(heights) // 2] if heights else 0.0


def _slope(quads: list[Any]) -> float:
    """The middle one of the lines' slopes (dy/dx), each counted by its length."""
    leaning = sorted(
        (float((quad[1][1] - quad[0][1]) / (quad[1][0] - quad[0][0])), float(quad[1][0] - quad[0][0]))
        for quad in quads
        if quad[1][0] - quad[0][0] > 4 * _length(quad[1], quad[2])
    )
    total, so_far = sum(length for _, length in leaning), 0.0
    for slope, length in leaning:
        so_far += length
        if so_far >= total / 2:
            return slope if abs(slope) < _SLANT else 0.0
    return 0.0


def _is_slanted(quad: Any, slope: float) -> bool:
    across, down = (float(one) for one in quad[1] - quad[0])
    return across > 3 * _length(quad[1], quad[2]) and abs(down / across - slope) > _SLANT


def _level_box(quad: Any, slope: float, width: int, height: int) -> tuple[float, float, float, float]:
    """As `ruling.level` turns the image."""
    xs = [float(x + slope * (y - height / 2)) for x, y in quad]
    ys = [float(y - slope * (x - width / 2)) for x, y in quad]
    return min(xs), (ys[0] + ys[1]) / 2, max(xs), (ys[2] + ys[3]) / 2


def _letters(text: str, word: Any) -> tuple[str, list[float]]:
    """The cleaned text and where each letter's middle stands, as a share of the line's length."""
    places = [col for cols in word.word_cols for col in cols]
    inked = [at for at, char in enumerate(text) if not char.isspace()]
    length = float(word.line_txt_len)
    if len(places) != len(inked) or length <= 0:
        return _cleaned(text, [(at + 0.5) / len(text) for at in range(len(text))])
    shares: list[float] = [-1.0] * len(text)
    for at, place in zip(inked, places, strict=True):
        shares[at] = min(max((place + 0.5) / length, 0.0), 1.0)
    for at, share in enumerate(shares):
        if share < 0:
            shares[at] = shares[at - 1] if at else 0.0
    return _cleaned(text, shares)


def _cleaned(text: str, shares: list[float]) -> tuple[str, list[float]]:
    """One code point for one, so that the places stay with their letters."""
    pairs = [
        (" " if char.isspace() else clean(char), share) for char, share in zip(text, shares, strict=True)
    ]
    kept = [(char, share) for char, share in pairs if len(char) == 1][:MAX_LINE]
    while kept and kept[-1][0] == " ":
        kept.pop()
    while kept and kept[0][0] == " ":
        kept.pop(0)
    return "".join(char for char, _ in kept), [share for _, share in kept]


def _frame(box: tuple[float, float, float, float], width: int, height: int) -> Frame:
    x0, y0, x1, y1 = box
    left, right = sorted((_share(x0, width), _share(x1, width)))
    top, bottom = sorted((_share(y0, height), _share(y1, height)))
    return left, top, right, bottom


def _share(at: float, length: int) -> int:
    return min(max(round(at / length * SCALE), 0), SCALE)


def _length(one: Any, other: Any) -> float:
    return float(math.hypot(*(float(part) for part in other - one)))
