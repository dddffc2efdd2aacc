"""A drawing as an `altair.Chart`: the extra `md_magic[chart]`. Nothing of it is loaded unless a cell has `--chart`."""

from __future__ import annotations

from importlib.util import find_spec

from md_magic.errors import OptionError


def check_installed() -> None:
    """Raise `OptionError` where a package of the extra is missing, before anything runs."""
    missing = [name for name, module in (("altair", "altair"), ("vl-convert-python", "vl_convert")) if not _has(module)]
    if missing:
        are = "the package" if len(missing) == 1 else "the packages"
        message = f"--chart needs {are} {' and '.join(missing)}: %pip install 'md_magic[chart]'."
        raise OptionError(message)


def _has(module: str) -> bool:
    return find_spec(module) is not None
