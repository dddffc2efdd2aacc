"""Other names for the magic: `%%sql`, taken only where it is free and given back, and those of `%alias_magic`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from IPython.core.magic import MagicAlias, no_var_expand

from md_magic.errors import OptionError
from md_magic.notebook.names import NAME

if TYPE_CHECKING:
    from collections.abc import Callable

    from IPython.core.interactiveshell import InteractiveShell


class Alias:
    """The other name of a shell's magic; empty where there is none."""

    def __init__(self, shell: InteractiveShell, function: Callable[..., Any]) -> None:
        """Make the alias of *function*, the magic of *shell*."""
        self._shell = shell
        self._function = function
        self._name = ""

    @property
    def names(self) -> tuple[str, ...]:
        """What the magic is called: another extension may have taken the alias since."""
        is_ours = bool(self._name) and self._tables["cell"].get(self._name) == self._function
        return (NAME, self._name) if is_ours else (NAME,)

    def check(self, name: str) -> None:
        """Raise `OptionError` where *name* can be no alias: it is no name, or somebody else's."""
        if not name or name == self._name:
            return
        if name == NAME or not (name.isidentifier() and name.isascii()):
            message = (
                f"alias = {name!r}: a name of letters, digits and `_` is needed, such as 'sql', other than {NAME!r}."
            )
            raise OptionError(message)
        if (owner := self._owner(name)) is not None:
            message = (
                f"alias = {name!r}: %%{name} and %{name} stay with {owner}. Unload that extension first, or choose"
                f" another name; %%{NAME} works in any case."
            )
            raise OptionError(message)

    def take(self, name: str) -> None:
        """Register the magic as *name* also, in place of the alias that it has. Raises what `check` does."""
        self.check(name)
        self.release()
        self._name = name
        if name:
            for table in self._tables.values():
                table[name] = self._function

    def release(self) -> None:
        """Take the alias away, unless somebody else has taken it since."""
        for table in self._tables.values():
            if self._name and table.get(self._name) == self._function:
                del table[self._name]
        self._name = ""

    @property
    def _tables(self) -> dict[str, dict[str, Any]]:
        """The shell's magics by name, for each of the kinds: `line` and `cell`."""
        tables: dict[str, dict[str, Any]] = self._shell.magics_manager.magics
        return tables

    def _owner(self, name: str) -> str | None:
        """Return whose magic *name* is; an extension that IPython loads when it is needed counts too."""
        lazy: dict[str, str] = getattr(self._shell.magics_manager, "lazy_magics", {})
        if name in lazy:  # looking at its placeholder would load the extension
            return lazy[name]
        for table in self._tables.values():
            if (function := table.get(name)) is not None:
                owner = getattr(function, "__self__", function)
                return str(getattr(owner, "__module__", None) or type(owner).__module__)
        return None


class AliasMagics:
    """Marks the aliases that `%alias_magic` makes of ours: IPython would paste the values of `$name` into their lines.

    It has no hook there, so its method is wrapped.
    """

    def __init__(self, shell: InteractiveShell, function: Callable[..., Any]) -> None:
        """Look after aliases of *function*, the magic of *shell*; `install` begins."""
        self._shell = shell
        self._function = function

    def install(self) -> None:
        """Mark each alias as it is made, and those that are there."""
        manager = self._shell.magics_manager
        manager.register_alias = self._register
        for table in manager.magics.values():
            for magic in table.values():
                self._mark(magic)

    def remove(self) -> None:
        """Leave the shell as it was found."""
        own = vars(self._shell.magics_manager)
        if own.get("register_alias") == self._register:
            del own["register_alias"]

    def _register(self, alias_name: str, magic_name: str, magic_kind: Any = "line", magic_params: Any = None) -> None:  # noqa: ANN401 - IPython's types differ by version
        manager = self._shell.magics_manager
        type(manager).register_alias(manager, alias_name, magic_name, magic_kind, magic_params)
        self._mark(manager.magics[magic_kind][alias_name])

    def _mark(self, alias: object) -> None:
        """Mark *alias* if it is one that leads to our magic, over other aliases maybe."""
        magic, steps = alias, 0
        while isinstance(magic, MagicAlias) and steps < len(self._shell.magics_manager.magics[magic.magic_kind]):
            magic = self._shell.magics_manager.magics[magic.magic_kind].get(magic.magic_name)
            steps += 1
        if isinstance(alias, MagicAlias) and magic == self._function:
            no_var_expand(alias)
