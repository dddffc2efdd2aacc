"""Colours that are readable on white and on the grey of Vega's dark theme, and that the colour-blind can tell apart.

Each has a contrast of at least 3 to both. Any two differ by at least 17 (CIE76) for eyes with deuteranopia,
protanopia and without either, as they were searched for by computer; shapes and dashes tell them apart as well.
"""

from __future__ import annotations

CATEGORIES = ("#2490d8", "#fc2418", "#189000", "#9c54fc", "#a89054", "#fc0078", "#7890b4")
OTHER = "#848484"

ONE = CATEGORIES[0]
"""The colour where there is one."""

RAMP = ("#2f6c8e", "#2a788e", "#21918c", "#22a884", "#44bf70", "#7ad151", "#bddf26", "#fde725")
"""Viridis from 0.35 on: each step has a contrast of 3 to `GROUND`."""

GROUND = "#111111"
"""Behind the cells of a heatmap, in both themes."""
