"""Image files: a page each, a TIFF's frames one after the other. All their text comes from OCR.

A picture's size stands in its head: what would unpack to too much is refused before anything is decoded.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from backend.app.common.errors import ParseLimitExceeded, UnreadableDocument
from backend.app.documents.canonical import Document
from backend.app.documents.limits import ExtractLimits
from backend.app.documents.ocr.pages import OcrPage
from backend.app.documents.readers.ocr_layout import ocr_layout
from backend.app.documents.readers.pdf_page import PageLayout
from backend.app.documents.readers.pdf_quality import Quality
from backend.app.documents.readers.pdf_text import write_document

# The pixels of A3 at 600 dpi.
MAX_IMAGE_PIXELS = 72_000_000
_PORTRAIT, _LANDSCAPE = 595.0, 842.0  # points: a picture is as wide as A4, so that lengths mean the same
_ORIENTATION = 0x0112  # the EXIF tag
_UPRIGHT = {
    2: (Image.Transpose.FLIP_LEFT_RIGHT,),
    3: (Image.Transpose.ROTATE_180,),
    4: (Image.Transpose.FLIP_TOP_BOTTOM,),
    5: (Image.Transpose.TRANSPOSE,),
    6: (Image.Transpose.ROTATE_270,),
    7: (Image.Transpose.TRANSVERSE,),
    8: (Image.Transpose.ROTATE_90,),
}
_SIDEWAYS = (5, 6, 7, 8)
_FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP", "TIFF")


def read_image(
    path: Path, limits: ExtractLimits, media_type: str, ocr: Mapping[int, OcrPage] | None = None
) -> Document:
    """Raises UnreadableDocument, ParseLimitExceeded; EmptyDocument when OCR found nothing."""
    sizes = list(_page_sizes(path, limits))
    layouts = []
    for number, (width, height) in enumerate(sizes, 1):
        page = (ocr or {}).get(number)
        layout = PageLayout(number, width, height, Quality.SCANNED)
        layouts.append(ocr_layout(layout, page) if page is not None else layout)
    return write_document(layouts, limits, media_type=media_type)


def upright_picture(path: Path, number: int, bounded: Callable[[float, float], tuple[int, int]]) -> Any:
    """A frame in RGB as it is displayed, reduced to what `bounded` allows."""
    with _opened(path) as picture:
        _seek(picture, number)
        orientation = _orientation(picture)
        size = bounded(*picture.size)
        picture.draft("RGB", size)  # a JPEG is decoded small at once
        plain = _plain(picture)
        if plain.size != size:
            plain = plain.resize(size, Image.Resampling.LANCZOS, reducing_gap=2.0)
        plain = _on_white(plain)
        for step in _UPRIGHT.get(orientation, ()):
            plain = plain.transpose(step)
        return plain


def _page_sizes(path: Path, limits: ExtractLimits) -> Iterator[tuple[float, float]]:
    """Width and height in points, frame by frame."""
    with _opened(path) as picture:
        # Only a TIFF's frames are pages: those of a GIF or WebP move.
        frames = getattr(picture, "n_frames", 1) if picture.format == "TIFF" else 1
        if frames > limits.max_pages:
            raise ParseLimitExceeded()
        for number in range(1, frames + 1):
            _seek(picture, number)
            width, height = picture.size
            if _orientation(picture) in _SIDEWAYS:
                width, height = height, width
            points = _PORTRAIT if height >= width else _LANDSCAPE
            yield points, points * height / width


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Pillow thinks of the file; sizes are checked here
            with Image.open(path, formats=_FORMATS) as picture:
                yield picture
    except Image.DecompressionBombError as error:
        raise ParseLimitExceeded() from error
    except (OSError, SyntaxError, ValueError, EOFError, KeyError, IndexError, TypeError) as error:
        raise UnreadableDocument() from error


def _seek(picture: Any, number: int) -> None:
    if number > 1:
        picture.seek(number - 1)
    width, height = picture.size
    if width < 1 or height < 1:
        raise UnreadableDocument()
    if width * height > MAX_IMAGE_PIXELS:
        raise ParseLimitExceeded()


def _orientation(picture: Any) -> int:
    try:
        return int(picture.getexif().get(_ORIENTATION, 1))
    except (ValueError, TypeError, SyntaxError, OSError):
        return 1


def _plain(picture: Any) -> Any:
    """In L, RGB or RGBA, which can be reduced."""
    if picture.mode.startswith("I;16") or picture.mode in ("I", "F"):
        low, high = picture.getextrema()
        scale = 255.0 / max(float(high) - float(low), 1.0)
        return picture.convert("F").point(lambda at: at * scale - low * scale).convert("L")
    if picture.mode in ("L", "RGB") and "transparency" not in picture.info:
        return picture
    if picture.mode == "1":
        return picture.convert("L")
    see_through = "A" in picture.getbands() or "transparency" in picture.info
    return picture.convert("RGBA" if see_through else "RGB")


def _on_white(picture: Any) -> Any:
    """In RGB; what is transparent is paper."""
    if picture.mode != "RGBA":
        return picture.convert("RGB")
    return Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture).convert("RGB")
