"""Sessions on real databases, without a notebook."""

from __future__ import annotations

import pytest

from md_magic.session.session import Session
from md_magic.sql import target as targets


@pytest.fixture
def session():
    opened = Session(notify=print)
    yield opened
    opened.close_all()


@pytest.fixture
def run(session):
    """Return a function that runs statements, on a target where one is named, and gives its open database."""

    def run(sql="", target=None):
        session.use(targets.read(target) if target else None)
        for _ in session.run(sql, {}) if sql else ():
            pass
        return session.use()

    return run
