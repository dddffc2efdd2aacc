"""The guide: `python -m sphinx -W -b html docs build/docs`."""

from __future__ import annotations

import atexit
import importlib.metadata
import json
import os
import re
import shutil
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar

from pygments.lexer import RegexLexer, bygroups, using
from pygments.lexers.python import PythonLexer
from pygments.lexers.sql import SqlLexer
from pygments.token import Name

HERE = Path(__file__).parent
ROOT = HERE.parent
sys.path.insert(0, str(HERE))

import reference_pages  # noqa: E402 - beside this file

if TYPE_CHECKING:
    from sphinx.application import Sphinx

project = "md_magic"
author = "The md_magic authors"
project_copyright = "2026, the md_magic authors"
release = version = importlib.metadata.version("md_magic")

smartquotes = False  # options and SQL stand in headings and sentences too
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx_copybutton"]
exclude_patterns = ["pictures"]
default_role = "code"
nitpicky = True
nitpick_ignore_regex = [("py:.*", r".*")]  # the types that signatures name are other projects'
autodoc_typehints = "signature"
autodoc_member_order = "bysource"

myst_enable_extensions = ["attrs_inline", "colon_fence"]
myst_heading_anchors = 3
myst_url_schemes = ("http", "https", "mailto")
nb_execution_mode = "force"
nb_execution_timeout = 120
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
nb_render_error_lexer = "text"  # an error is one message, and no traceback to colour
suppress_warnings = [
    "misc.highlighting_failure",  # `${NAME}` and Jinja in SQL
    "mystnb.unknown_mime_type",  # a chart has a picture beside its specification
]
copybutton_exclude = ".linenos, .gp, .go"

html_theme = "furo"
html_title = f"md_magic {release}"
html_copy_source = False
html_static_path = ["static"]
html_css_files = ["guide.css"]

SOURCE = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Source"]
PUBLISHED = not SOURCE.partition("//")[2].partition("/")[0].endswith(".invalid")
if PUBLISHED:  # furo's links to a page's source
    html_theme_options = {"source_repository": SOURCE, "source_branch": "main", "source_directory": "docs/"}

STAND_IN = """\
:::{note}
No machine that builds this guide reaches MotherDuck. The outputs are those of the tests' stand-in for the service.
:::"""


def without_motherduck() -> None:
    """Let the kernels find the tests' stand-in for MotherDuck, a token of it, and nothing of the person who builds."""
    sys.path.insert(0, str(ROOT))
    from tests.motherduck.standin.service import VARIABLE, Service

    folder = Path(tempfile.mkdtemp())
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in [name for name in os.environ if name.lower() == "motherduck_token"]:
        del os.environ[name]
    for name in ("home", "ipython"):
        (folder / name).mkdir()
    os.environ |= {
        VARIABLE: str(folder / "motherduck"),
        "motherduck_token": Service(folder / "motherduck").add_account("ann@example.com").token,
        "PYTHONPATH": os.pathsep.join([str(ROOT / "tests" / "motherduck" / "on_path"), str(ROOT)]),
        "HOME": str(folder / "home"),
        "IPYTHONDIR": str(folder / "ipython"),
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",
    }


def write_sources(_app: Sphinx) -> None:
    """Write the pages that come from elsewhere: the reference from the code, the tours from `notebooks`."""
    without_motherduck()
    reference_pages.write(HERE / "reference")
    (HERE / "tour").mkdir(exist_ok=True)
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        shutil.copy(path, HERE / "tour")
    tour = HERE / "tour" / "motherduck.ipynb"
    notebook = json.loads(tour.read_text(encoding="utf-8"))
    notebook["cells"].insert(1, {"cell_type": "markdown", "id": "stand-in", "metadata": {}, "source": STAND_IN})
    tour.write_text(json.dumps(notebook), encoding="utf-8")


PICTURE = re.compile(
    r'<picture>\s*<source [^>]*srcset="([^"]+)">\s*<img alt="([^"]*)" src="([^"]+)" width="(\d+)">\s*</picture>'
)


def adapt(_app: Sphinx, document: str, source: list[str]) -> None:
    """Rewrite what is written for GitHub: pictures of two themes, and links to files that are not in the guide."""
    text = PICTURE.sub(r"![\2](\3){.only-light width=\4px}\n![\2](\1){.only-dark width=\4px}", source[0])
    if document == "index":
        text = text.replace("](../notebooks/", "](tour/")
    link = rf"[\1]({SOURCE}/blob/main/\2)" if PUBLISHED else r"\1 (`\2` of the repository)"
    source[0] = re.sub(r"\[([^]]*)\]\((?:\.\./)+((?:benchmarks|tests|notebooks|[A-Z]+\.md)[^)]*)\)", link, text)


class CellLexer(RegexLexer):
    """Cells: SQL below `%%mdsql`, else Python with IPython's magics."""

    name = "cell"
    tokens: ClassVar = {
        "root": [
            (r"(%%mdsql)(.*\n)((?s:.*))", bygroups(Name.Function, Name.Attribute, using(SqlLexer))),
            (r"(?m)^(.*?)(%mdsql|%q)(\s.*?)$", bygroups(using(PythonLexer), Name.Function, Name.Attribute)),
            (r".*\n", using(PythonLexer)),
        ]
    }


def setup(app: Sphinx) -> None:
    """Connect the two, and colour cells as JupyterLab does."""
    app.add_lexer("ipython3", CellLexer)
    app.add_lexer("sql", CellLexer)  # the blocks of `sql` in these pages are cells
    app.connect("builder-inited", write_sources)
    app.connect("source-read", adapt)
