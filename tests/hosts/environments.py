"""An environment for each host, made by uv and thrown away."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Environment:
    """A virtual environment with md_magic and a host's packages, and a home that is nobody's."""

    def __init__(self, folder: Path, python: str, packages: tuple[str, ...], wheel: Path) -> None:
        """Make it. Raises `subprocess.CalledProcessError`, with uv's text, where the packages do not go together."""
        self.folder = folder
        self.python = folder / "env" / "bin" / "python"
        self.work = folder / "work"
        self.work.mkdir(parents=True)
        home = folder / "home"
        home.mkdir()
        clean = {k: v for k, v in os.environ.items() if not k.startswith(("JUPYTER", "JPY", "VSCODE", "PYTHON"))}
        clean.pop("motherduck_token", None)
        clean.pop("MOTHERDUCK_TOKEN", None)
        self.variables = clean | {
            "HOME": str(home),
            "IPYTHONDIR": str(home / "ipython"),
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONWARNINGS": "ignore",
            "TERM": "xterm",
        }
        uv("venv", "--python", python, str(folder / "env"))
        uv("pip", "install", "--python", str(self.python), f"{wheel}[jinja]", *packages)

    def run(self, *command: str, seconds: float = 600) -> subprocess.CompletedProcess[str]:
        """Run a *command* of the environment in its folder, and return what it wrote."""
        return subprocess.run(
            [str(self.python.parent / command[0]), *command[1:]],
            cwd=self.work,
            env=self.variables,
            capture_output=True,
            text=True,
            timeout=seconds,
            check=False,
        )


def uv(*arguments: str) -> str:
    """Run uv: that of the PATH, of `UV`, or of this interpreter."""
    found = os.environ.get("UV") or shutil.which("uv")
    command = [found] if found else [sys.executable, "-m", "uv"]
    ran = subprocess.run([*command, "--quiet", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise OSError(ran.stderr.strip()[-600:])
    return ran.stdout


def build_wheel(folder: Path) -> Path:
    """Build md_magic's wheel in *folder* and return its path."""
    uv("build", "--wheel", "--out-dir", str(folder))
    [wheel] = folder.glob("*.whl")
    return wheel
