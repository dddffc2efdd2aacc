"""A keyring for tests, in a file of the stand-in's folder: PYTHON_KEYRING_BACKEND=tests.motherduck.standin.keyrings.FolderKeyring."""

from __future__ import annotations

import json
import os
from pathlib import Path

import keyring.backend
import keyring.errors


class FolderKeyring(keyring.backend.KeyringBackend):
    """Entries survive a kernel's restart. MD_STANDIN_LOCKED makes it one that refuses everything."""

    priority = 1

    @property
    def _path(self) -> Path:
        if os.environ.get("MD_STANDIN_LOCKED"):
            message = "The keyring is locked."
            raise keyring.errors.KeyringLocked(message)
        return Path(os.environ["MD_STANDIN"]) / "keyring.json"

    def _entries(self) -> dict[str, str]:
        return json.loads(self._path.read_text()) if self._path.exists() else {}

    def get_password(self, service: str, username: str) -> str | None:
        return self._entries().get(f"{service}/{username}")

    def set_password(self, service: str, username: str, password: str) -> None:
        self._path.write_text(json.dumps(self._entries() | {f"{service}/{username}": password}))

    def delete_password(self, service: str, username: str) -> None:
        entries = self._entries()
        if entries.pop(f"{service}/{username}", None) is None:
            raise keyring.errors.PasswordDeleteError(username)
        self._path.write_text(json.dumps(entries))
