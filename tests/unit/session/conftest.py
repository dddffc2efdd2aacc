"""A session without a notebook: real databases, and a list in place of the screen."""

from __future__ import annotations

import pytest

from md_magic.session.session import Session


@pytest.fixture
def notices():
    """Collect the lines that a person would have been shown."""
    return []


@pytest.fixture
def session(notices):
    made = Session(notify=notices.append)
    yield made
    made.close_all()


@pytest.fixture
def run(session):
    """Run SQL as a cell does; return the value of its last statement."""

    def run(sql, variables=None, **more):
        outcomes = list(session.run(sql, variables or {}, **more))
        return outcomes[-1].value if outcomes else None

    return run


@pytest.fixture
def use(session):
    """Make the target that a word names current."""
    return lambda word, **more: session.use(session.resolve(word), **more)
