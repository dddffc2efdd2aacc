"""Loads the stand-in for MotherDuck into an interpreter, from outside: inert unless MD_STANDIN names its folder.

Put this folder and the repository on PYTHONPATH: Python imports `sitecustomize` by itself, in a kernel as in any child of it.
"""

import os

if os.environ.get("MD_STANDIN"):
    from tests.motherduck.standin import client

    client.install_when_imported()
