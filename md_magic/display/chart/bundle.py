"""An `altair.Chart` that every front end can show offline: by what draws Vega-Lite there, or else as a PNG."""

from __future__ import annotations

import logging
import re
import struct
import zlib
from typing import Any

import altair as alt
import vl_convert

logger = logging.getLogger(__name__)

MIME = "application/vnd.vegalite.v5+json"
"""What JupyterLab, Notebook, VS Code and Colab draw by themselves; of version 6, JupyterLab 4.6 shows the text."""

_SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
_VERSION = "5.20"
_NOT_XML = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_MOST = 2**53
_SCALE = 2
"""Pixels of the PNG for each of the chart's: sharp on screens of today."""


class Shown:
    """What shows itself without a network; with `+`, `|` or `&`, what becomes of several does so too."""

    def _repr_mimebundle_(self, *_: object, **__: object) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the specification, its PNG and a text in one bundle, and the size at which the PNG is shown."""
        specification = specification_of(self)
        bundle: dict[str, Any] = {MIME: specification, "text/plain": text_of(specification)}
        metadata: dict[str, Any] = {}
        try:
            bundle["image/png"] = image = png(specification)
            width, height = struct.unpack(">II", image[16:24])
            metadata["image/png"] = {"width": width // _SCALE, "height": height // _SCALE}
        except ValueError as error:  # what a person has made of it, and Vega-Lite does not draw
            logger.debug("no PNG of a chart: %s", error)
        return bundle, metadata

    def __add__(self, other: Any) -> Any:  # noqa: ANN401 - any chart, also below
        return _together(Layers, self, other)

    def __radd__(self, other: Any) -> Any:  # noqa: ANN401
        return _together(Layers, other, self)

    def __or__(self, other: Any) -> Any:  # noqa: ANN401
        return _together(Row, self, other)

    def __ror__(self, other: Any) -> Any:  # noqa: ANN401
        return _together(Row, other, self)

    def __and__(self, other: Any) -> Any:  # noqa: ANN401
        return _together(Column, self, other)

    def __rand__(self, other: Any) -> Any:  # noqa: ANN401
        return _together(Column, other, self)


class Chart(Shown, alt.Chart):
    """A chart that shows itself without a network. What `encode`, `properties` and the like make of it is one too."""


class Layers(Shown, alt.LayerChart):
    """Charts on top of each other."""


class Row(Shown, alt.HConcatChart):
    """Charts beside each other."""


class Column(Shown, alt.VConcatChart):
    """Charts below each other."""


_PARTS = {Layers: "layer", Row: "hconcat", Column: "vconcat"}


def _together(kind: Any, *charts: Any) -> Any:  # noqa: ANN401 - Altair does not declare what its charts have
    """Return *charts* as one of *kind*. A configuration is the whole's: Altair refuses a part that has one."""
    if not all(isinstance(chart, alt.TopLevelMixin) for chart in charts):
        return NotImplemented
    config: dict[str, Any] = {}
    parts = []
    for chart in charts:
        own = chart.copy(deep=False)
        if own.config is not alt.Undefined:
            config |= own.config.to_dict()
            own.config = alt.Undefined
        parts.append(own)
    made = kind(**{_PARTS[kind]: parts})
    return made.configure(**config) if config else made


def specification_of(chart: Any) -> dict[str, Any]:  # noqa: ANN401 - any of Altair's charts
    """Return *chart* as a specification of Vega-Lite 5 with its data in it, whatever transformer Altair has enabled."""
    with alt.data_transformers.enable("default", max_rows=None):
        specification: dict[str, Any] = chart.to_dict()
    return specification | {"$schema": _SCHEMA}


def png(specification: dict[str, Any]) -> bytes:
    """Return *specification* drawn as a PNG, on white. Raises `ValueError` where Vega-Lite cannot draw it."""
    return smaller(vl_convert.vegalite_to_png(drawable(specification), vl_version=_VERSION, scale=_SCALE))


def drawable(value: Any) -> Any:  # noqa: ANN401 - any JSON
    """Return *value* as vl-convert can draw it.

    It has no huge integers, and ends the whole process at a character that XML does not have.
    """
    if isinstance(value, str):
        return _NOT_XML.sub("\N{REPLACEMENT CHARACTER}", value)
    if isinstance(value, dict):
        return {drawable(key): drawable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [drawable(each) for each in value]
    return float(value) if isinstance(value, int) and abs(value) > _MOST else value


def smaller(image: bytes) -> bytes:
    """Return a PNG with its pixels compressed well: vl-convert does so in a hurry, to three times the size."""
    chunks, pixels, at = [image[:8]], b"", 8
    while at < len(image):
        (length,) = struct.unpack(">I", image[at : at + 4])
        chunk = image[at : at + 12 + length]
        if chunk[4:8] == b"IDAT":
            pixels += chunk[8:-4]
        else:
            if chunk[4:8] == b"IEND":
                body = b"IDAT" + zlib.compress(zlib.decompress(pixels), 7)
                chunks.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
            chunks.append(chunk)
        at += 12 + length
    return b"".join(chunks)


def text_of(specification: dict[str, Any]) -> str:
    """Return what a terminal shows."""
    title = specification.get("title") or {}
    lines = [title.get("text", ""), *title.get("subtitle", ())] if isinstance(title, dict) else [title]
    return "\n".join(["<altair.Chart>" + f" {lines[0]}".rstrip(), *lines[1:]])
