"""An `altair.Chart` that every front end can show offline: by what draws Vega-Lite there, or else as a PNG."""

from __future__ import annotations

import logging
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
_SCALE = 2
"""Pixels of the PNG for each of the chart's: sharp on screens of today."""


class Chart(alt.Chart):
    """A chart that shows itself without a network. What `encode`, `properties` and the like make of it is one too."""

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


def specification_of(chart: alt.Chart) -> dict[str, Any]:
    """Return *chart* as a specification of Vega-Lite 5 with its data in it, whatever transformer Altair has enabled."""
    with alt.data_transformers.enable("default", max_rows=None):
        specification: dict[str, Any] = chart.to_dict()
    return specification | {"$schema": _SCHEMA}


def png(specification: dict[str, Any]) -> bytes:
    """Return *specification* drawn as a PNG, on white. Raises `ValueError` where Vega-Lite cannot draw it."""
    return smaller(vl_convert.vegalite_to_png(specification, vl_version=_VERSION, scale=_SCALE))


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
