"""`python -m tests.hosts [HOST ...]`: run the cells of a day's work in each host, and print what works as a table.

Each host is installed in an environment of its own, which is thrown away. `--list` names them; `--keep FILE` adds the
result to a JSON file, from which `--table FILE` prints the table, and `--write FILE` puts it into `docs/hosts.md`.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from tests.hosts import batch, browsers, terminals, transcripts
from tests.hosts.cells import CELLS
from tests.hosts.environments import Environment, build_wheel

if TYPE_CHECKING:
    from collections.abc import Callable


class Host(NamedTuple):
    """A host, what is installed for it, and how it runs the cells."""

    packages: tuple[str, ...]
    run: Callable[[Environment], str]
    python: str = "3.11"


_KERNEL = ("ipykernel>=7", "nbclient>=0.10")
_LAB = (*_KERNEL, "jupyterlab>=4.6,<4.7")

_COLAB = ("ipython==7.34.0", "ipykernel==6.17.1", "ipywidgets==7.7.1", "pandas==2.2.2", "nbclient>=0.10")
"""What Google Colab pins."""

PAGE = Path(__file__).parents[2] / "docs" / "hosts.md"
TABLE = re.compile(r"(?s)(<!-- the table of the script -->\n\n)\|.*?\|(\n\n)")
"""The page with the table, and where it stands there."""

HOSTS = {
    "JupyterLab 4.6": Host(_LAB, browsers.lab),
    "JupyterLab 4.2": Host((*_KERNEL, "jupyterlab>=4.2,<4.3"), browsers.lab),
    "JupyterLab 4.6, remote kernel (--gateway-url)": Host(_LAB, browsers.remote_kernel),
    "JupyterLab 4.6, jupyter-collaboration": Host((*_LAB, "jupyter-collaboration"), browsers.lab),
    "JupyterLab 4.6, ipykernel 6": Host(("ipykernel<7", "jupyterlab>=4.6,<4.7"), browsers.lab),
    "Notebook 7.6": Host((*_KERNEL, "notebook>=7.6,<7.7"), browsers.notebook),
    "Classic Notebook (nbclassic 1.3)": Host((*_KERNEL, "nbclassic>=1.3,<1.4"), browsers.classic),
    "nbclient, jupyter execute": Host(_KERNEL, batch.jupyter_execute),
    "papermill": Host((*_KERNEL, "papermill"), batch.papermill),
    "nbconvert": Host((*_KERNEL, "nbconvert"), batch.nbconvert),
    "jupytext": Host((*_KERNEL, "jupytext", "nbconvert"), batch.jupytext),
    "nbmake": Host((*_KERNEL, "nbmake"), batch.nbmake),
    "myst-nb": Host((*_KERNEL, "myst-nb"), batch.myst_nb),
    "Voilà": Host((*_KERNEL, "voila"), batch.voila),
    "ipyparallel": Host((*_KERNEL, "ipyparallel"), batch.ipyparallel),
    "IPython in a terminal": Host((), terminals.ipython),
    "Jupyter console": Host((*_KERNEL, "jupyter-console"), terminals.console),
    "xeus-python": Host((*_KERNEL, "xeus-python"), batch.xeus),
    "Colab's pins": Host(_COLAB, batch.jupyter_execute, "3.12"),
    "Python 3.12": Host(_KERNEL, batch.jupyter_execute, "3.12"),
    "Python 3.13": Host(_KERNEL, batch.jupyter_execute, "3.13"),
    "Python 3.14": Host(_KERNEL, batch.jupyter_execute, "3.14"),
}


def main() -> int:
    """Run the hosts that are named, by default all; return 1 where something breaks."""
    parser = argparse.ArgumentParser(prog="python -m tests.hosts", description=__doc__)
    parser.add_argument("hosts", nargs="*", help="by the beginning of their names; by default all")
    parser.add_argument("--list", action="store_true")
    parser.add_argument("--keep", type=Path)
    parser.add_argument("--table", type=Path)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.list:
        print("\n".join(HOSTS))
        return 0
    if options.table:
        print(table(json.loads(options.table.read_text())))
        return 0
    if options.write:
        written = table(json.loads(options.write.read_text()))
        text = PAGE.read_text(encoding="utf-8")
        PAGE.write_text(TABLE.sub(lambda match: f"{match[1]}{written}{match[2]}", text), encoding="utf-8")
        return 0
    chosen = [name for name in HOSTS if not options.hosts or name.startswith(tuple(options.hosts))]
    results: dict[str, dict[str, str]] = {}
    with tempfile.TemporaryDirectory(prefix="md_magic-hosts-") as folder:
        wheel = build_wheel(Path(folder))
        for number, name in enumerate(chosen):
            began = time.monotonic()
            results[name] = _verdicts(HOSTS[name], Path(folder) / str(number), wheel)
            print(f"{name}: {_line(results[name])} ({time.monotonic() - began:.0f} s)", file=sys.stderr, flush=True)
            if options.keep:
                kept = json.loads(options.keep.read_text()) if options.keep.exists() else {}
                options.keep.write_text(json.dumps(kept | results, indent=1, ensure_ascii=False))
    print(table(results))
    return any(verdict.startswith("breaks") for host in results.values() for verdict in host.values())


def _verdicts(host: Host, folder: Path, wheel: Path) -> dict[str, str]:
    try:
        transcript = host.run(Environment(folder, host.python, host.packages, wheel))
    except Exception as error:  # noqa: BLE001 - one host that cannot be run must not keep the others from it
        return {cell.name: f"breaks: {type(error).__name__}: {error}" for cell in CELLS}
    return transcripts.verdicts(transcript)


def _named(verdicts: dict[str, str], beginning: str) -> list[str]:
    return [name for name, verdict in verdicts.items() if verdict.startswith(beginning)]


def _line(verdicts: dict[str, str]) -> str:
    broken = {
        verdicts[name]: name for name in reversed(_named(verdicts, "breaks"))
    }  # a host that fails does it in each
    said = "".join(f"\n  {name} {verdict[:400]}" for verdict, name in reversed(broken.items()))
    return f"{len(_named(verdicts, 'works'))} work, {len(_named(verdicts, 'degrades'))} show less{said}"


def table(results: dict[str, dict[str, str]]) -> str:
    """Return the results as a Markdown table, with every host: those without a result were not run."""
    lines = [f"| host | of {len(CELLS)} cells work | show less | break |", "|---|---|---|---|"]
    for name in HOSTS:
        if name in results:
            less, broken = _named(results[name], "degrades"), _named(results[name], "breaks")
            works = len(_named(results[name], "works"))
            lines.append(f"| {name} | {works} | {', '.join(less) or '–'} | {', '.join(broken) or '–'} |")
        else:
            lines.append(f"| {name} | not run | | |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
