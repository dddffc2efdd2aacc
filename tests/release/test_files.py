"""The files that others read, an index, GitHub, conda-forge, people: valid, alike in what they say, and without dead links."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml

import md_magic

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
SKIPPED = {".venv", "node_modules", "build", "dist"}

if not (ROOT / ".github").exists():
    pytest.skip("only a clone has them", allow_module_level=True)

SCHEMAS = {
    "github-workflows": sorted(ROOT.glob(".github/workflows/*.yml")),
    "github-issue-config": [ROOT / ".github/ISSUE_TEMPLATE/config.yml"],
    "github-issue-forms": sorted(
        set(ROOT.glob(".github/ISSUE_TEMPLATE/*.yml")) - {ROOT / ".github/ISSUE_TEMPLATE/config.yml"}
    ),
    "citation-file-format": [ROOT / "CITATION.cff"],
}


def read_yaml(path):
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


@pytest.mark.parametrize("schema", SCHEMAS)
def test_github_understands_its_files(schema):
    assert SCHEMAS[schema]
    command = [
        sys.executable,
        "-m",
        "check_jsonschema",
        "--builtin-schema",
        f"vendor.{schema}",
        *map(str, SCHEMAS[schema]),
    ]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout


def test_the_version_is_the_same_everywhere():
    extension = json.loads((ROOT / "md_magic/labextension/md-magic/package.json").read_text(encoding="utf-8"))
    said = {
        read_yaml("CITATION.cff")["version"],
        read_yaml("conda/recipe.yaml")["context"]["version"],
        extension["version"],
    }
    assert said == {md_magic.__version__}


def test_no_address_is_made_up():
    """Until there is one, a placeholder in `pyproject.toml` is the only; then all others are its repository's."""
    source = PROJECT["urls"]["Source"]
    assert all(url.startswith(source) for url in PROJECT["urls"].values())
    assert read_yaml("CITATION.cff").get("repository-code", source) == source
    assert read_yaml("conda/recipe.yaml")["about"].get("homepage", source) == source
    named = set()
    for path in [*documents(), *ROOT.glob(".github/**/*.yml"), ROOT / "CITATION.cff", ROOT / "conda/recipe.yaml"]:
        named |= set(re.findall(r"https?://[^\s\"'<>)`]*md[-_]magic[^\s\"'<>)`]*", path.read_text(encoding="utf-8")))
    assert {url for url in named if not url.startswith(("https://pypi.org/", source))} == set()


def test_a_release_is_refused_while_the_address_is_not_its_own(tmp_path):
    """The workflow's own step is run, as GitHub would."""
    steps = read_yaml(".github/workflows/release.yml")["jobs"]["build"]["steps"]
    command = next(step["run"] for step in steps if "address" in step.get("name", ""))
    github = {"GITHUB_SERVER_URL": "https://example.org", "GITHUB_REPOSITORY": "somebody/theirs"}

    def run(text):
        (tmp_path / "pyproject.toml").write_text(text, encoding="utf-8")
        ran = subprocess.run(
            ["bash", "-ec", command],  # noqa: S607 - as GitHub starts it
            cwd=tmp_path,
            env=os.environ | github,
            check=False,
        )
        return ran.returncode

    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert run(text) != 0
    assert run(text.replace(PROJECT["urls"]["Source"], "https://example.org/somebody/theirs")) == 0


def test_conda_and_pip_require_the_same():
    """But for conda-forge's name of DuckDB's Python package."""
    recipe = read_yaml("conda/recipe.yaml")["requirements"]["run"]
    wanted = {re.sub(r"([<>])", r" \1", line, count=1) for line in PROJECT["dependencies"]}
    wanted = {f"python-{line}" if line.startswith("duckdb ") else line for line in wanted}
    assert set(recipe) == wanted | {f"python {PROJECT['requires-python']}"}


def test_each_python_that_is_claimed_is_in_the_matrix():
    claimed = {line.rpartition(" ")[2] for line in PROJECT["classifiers"] if re.search(r":: 3\.\d+$", line)}
    assert claimed <= set(read_yaml(".github/workflows/tests.yml")["jobs"]["matrix"]["strategy"]["matrix"]["python"])
    assert f">={min(claimed, key=lambda text: int(text[2:]))}" == PROJECT["requires-python"]


def test_the_classifiers_are_in_order_and_known():
    from trove_classifiers import classifiers  # twine and hatchling do not look

    assert PROJECT["classifiers"] == sorted(PROJECT["classifiers"])
    assert set(PROJECT["classifiers"]) <= set(classifiers)


def documents():
    return [path for path in sorted(ROOT.rglob("*.md")) if not SKIPPED & set(path.relative_to(ROOT).parts)]


def slug(heading):
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("path", documents(), ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_within_the_repository_lead_somewhere(path):
    text = re.sub(r"(?s)```.*?```|`[^`\n]*`", "", path.read_text(encoding="utf-8"))
    links = re.findall(r"\]\(([^)\s]+)\)", text) + re.findall(r'(?:src|srcset|href)="([^"]+)"', text)
    for link in links:
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (path.parent / file).resolve() if file else path
        assert target.exists(), link
        if anchor and target.suffix == ".md":
            headings = re.findall(r"(?m)^#+ (.+)$", target.read_text(encoding="utf-8"))
            assert anchor in map(slug, headings), link


def test_what_contributing_names_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:md_magic|tests|docs|conda|\.github)/[\w./-]*)`", text)
    assert len(named) > 15
    assert [path for path in named if not (ROOT / path).exists()] == []
    for path, name in [
        ("md_magic/options.py", "TABLE"),
        ("md_magic/notebook/cell.py", "MODES"),
        ("md_magic/notebook/commands.py", "COMMANDS"),
        ("md_magic/engine/backends/__init__.py", "_BY_DIALECT"),
    ]:
        assert re.search(rf"(?m)^{name}\b", (ROOT / path).read_text(encoding="utf-8")), name
