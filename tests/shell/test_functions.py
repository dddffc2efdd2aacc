"""The variables that the magic sees where it is called in a function."""

from __future__ import annotations

import pytest

HEAD = """
import pandas as pd
df = pd.DataFrame({"a": ["the notebook's"]})
word = "the notebook's"
ip = get_ipython()
"""
LOCAL = "pd.DataFrame({'a': ['its own']})"
TWICE = """
def f():
    df, word = LOCAL, 'its own'
    def g():
        return list(map(lambda _: CALL, [1]))
    return g()
[got] = f()
"""
THREAD = """
import threading
def f(found):
    df, word = LOCAL, 'its own'
    found.append(CALL)
thread = threading.Thread(target=f, args=(found := [],))
thread.start()
thread.join()
[got] = found
"""
WAYS = ['ip.run_cell_magic("mdsql", "", {0!r})', 'ip.run_line_magic("mdsql", {0!r})']


@pytest.fixture
def notebook(shell):
    shell.cell(HEAD)
    return shell


def value(notebook, source):
    """Run *source* and return the one value of the frame that it leaves in `got`."""
    notebook.cell(source)
    return notebook.variables["got"].iloc[0, 0]


@pytest.mark.parametrize("way", WAYS, ids=["cell", "line"])
@pytest.mark.parametrize("sql", ["FROM df", "SELECT :word AS a"])
@pytest.mark.parametrize(
    "source",
    [
        "def f():\n    df, word = LOCAL, 'its own'\n    return CALL\ngot = f()",
        "def f(df, word):\n    return CALL\ngot = f(LOCAL, 'its own')",
        "def f():\n    df, word = LOCAL, 'its own'\n    return [CALL for _ in range(1)]\n[got] = f()",
        "def f():\n    df, word = LOCAL, 'its own'\n    return list(CALL for _ in range(1))\n[got] = f()",
        "def f():\n    df, word = LOCAL, 'its own'\n    return (lambda: CALL)()\ngot = f()",
        "def f():\n    df, word = LOCAL, 'its own'\n    def g():\n        return CALL\n    return g()\ngot = f()",
        TWICE,
        "class C:\n    df, word = LOCAL, 'its own'\n    got = CALL\ngot = C.got",
        THREAD,
        'code = """found = CALL"""\nexec(code, {"ip": ip}, names := {"df": LOCAL, "word": "its own"})\ngot = names["found"]',
    ],
    ids=["local", "argument", "list", "generator", "lambda", "nested", "twice nested", "class", "thread", "exec"],
)
def test_a_name_is_the_function_s_own(notebook, way, sql, source):
    assert value(notebook, source.replace("LOCAL", LOCAL).replace("CALL", way.format(sql))) == "its own"


@pytest.mark.parametrize("way", WAYS, ids=["cell", "line"])
def test_what_a_function_has_not_is_the_notebook_s(notebook, way):
    call = way.format("FROM df")
    assert value(notebook, f"def f():\n    return {call}\ngot = f()") == "the notebook's"
    nested = f"def caller():\n    df = None\n    return callee()\ndef callee():\n    return {call}\ngot = caller()"
    assert value(notebook, nested) == "the notebook's"  # the caller's variables are not the callee's


@pytest.mark.parametrize("way", WAYS, ids=["cell", "line"])
def test_a_function_of_a_module_sees_its_module(notebook, way, tmp_path, monkeypatch):
    source = "import pandas as pd\nfrom IPython import get_ipython\ndf = pd.DataFrame({'a': ['the module\\'s']})\n"
    (tmp_path / "mine.py").write_text(f"{source}def f():\n    ip = get_ipython()\n    return {way.format('FROM df')}\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert value(notebook, "import mine\ngot = mine.f()") == "the module's"


def test_a_plain_cell_sees_the_notebook_itself(notebook):
    assert notebook.sql("FROM df").value.a.tolist() == ["the notebook's"]
    assert notebook.cell("%mdsql FROM df").value.a.tolist() == ["the notebook's"]
    assert (
        notebook.cell("import asyncio\nawait asyncio.sleep(0)\ngot = %mdsql FROM df\ngot.a[0]").value
        == "the notebook's"
    )
    assert notebook.cell("%%time\ngot = %mdsql FROM df").error is None
    notebook.cell("%%capture got\n%%mdsql -o new\nFROM df")
    assert notebook.variables["new"].a.tolist() == ["the notebook's"]


def test_a_result_of_a_function_is_bound_in_the_notebook(notebook):
    notebook.cell('def f():\n    x = 7\n    ip.run_cell_magic("mdsql", "-o new", "SELECT :x AS x")\nf()')
    assert notebook.variables["new"].x.tolist() == [7]


def test_a_local_variable_without_a_value_hides_the_global_of_its_name(shell):
    shell.variables["low"] = 5
    cell = "get_ipython().run_cell_magic('mdsql', '', 'SELECT :low AS low')"
    function = f"def f(given):\n    if given:\n        low = 7\n    return {cell}\n"
    assert shell.cell(f"{function}f(True)").value["low"].tolist() == [7]
    assert "there is no Python variable 'low'" in shell.cell(f"{function}f(False)", error=True).message


def test_the_variable_of_a_comprehension_hides_no_global(shell):
    shell.variables["low"] = 5
    cell = "get_ipython().run_cell_magic('mdsql', '', 'SELECT :low AS low')"
    found = shell.cell(f"def f():\n    [low for low in range(3)]\n    return {cell}\nf()")
    assert found.value["low"].tolist() == [5]


@pytest.mark.parametrize(
    "expression",
    [
        "[i * k for i in range(3)]",
        "list(i * k for i in range(3))",
        "sorted(range(3), key=lambda i: i * k)",
        "(lambda: [k])()",
        "[k for _ in [1] if k == 3]",
    ],
)
def test_an_expression_has_the_function_s_own_variables_at_any_depth(shell, expression):
    shell.variables["k"] = 100
    wanted = eval(expression, {"k": 3})  # noqa: S307
    line = f"--param {f'x={expression}'!r}"
    call = f"get_ipython().run_cell_magic('mdsql', {line!r}, 'SELECT :x AS x')"
    assert shell.cell(f"def f(k):\n    return {call}\n[*f(3).x[0]]").value == wanted
    shell.cell("del k")
    assert shell.cell("[*f(3).x[0]]").value == wanted


CALL = "get_ipython().run_cell_magic('mdsql', '', 'SELECT :k AS k')"
CLASS = f"class C:\n    k = 3\n    def m(self):\n        return {CALL}\n    got = m(None)\nC.got"
DECLARED = f"def f(k):\n    def g():\n        global k\n        k += 1\n        return {CALL}\n    return g()\nf(3)"
LATER = [
    f"def f(k):\n    return lambda i: {CALL}\nlist(map(f(3), [1]))",
    f"def f(k):\n    return ({CALL} for _ in [1])\nlist(f(3))",
    f"def f(k):\n    def g():\n        return {CALL}\n    return g\nf(3)()",
    f"class C:\n    def m(self, k):\n        return lambda: {CALL}\nC().m(3)()",
    f"from concurrent.futures import ThreadPoolExecutor\ndef f(k):\n    with ThreadPoolExecutor() as pool:\n        return pool.submit(lambda: {CALL}).result()\nf(3)",
    f"import asyncio\nasync def f(k):\n    async def g():\n        return {CALL}\n    return await asyncio.gather(g())\nawait f(3)",
]


@pytest.mark.parametrize("source", LATER, ids=["lambda", "generator", "function", "method", "thread", "task"])
def test_a_variable_around_that_is_out_of_reach_is_no_global(shell, source):
    """Python gives an inner function those variables alone that its own code names."""
    shell.variables["k"] = 100
    assert "there is no Python variable 'k'" in shell.cell(source, error=True).message
    source = source.replace("lambda i:", "lambda i, k=k:").replace("lambda:", "lambda k=k:").replace("g():", "g(k=k):")
    if "k=k" in source:
        found = shell.cell(source).value
        [frame] = found if isinstance(found, list) else [found]
        assert frame.k.tolist() == [3]


@pytest.mark.parametrize("source", [CLASS, DECLARED], ids=["class body", "global statement"])
def test_a_variable_around_that_python_would_not_take_is_not_taken(shell, source):
    shell.variables["k"] = 100
    assert shell.cell(source).value.k.tolist() == [101 if "global" in source else 100]


def test_a_declared_global_that_is_gone_is_no_variable_around(shell):
    shell.variables["k"] = 100
    assert "no Python variable 'k'" in shell.cell(DECLARED.replace("k += 1", "del k"), error=True).message
