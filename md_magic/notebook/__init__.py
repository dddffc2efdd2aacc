"""The notebook: the magics, running a cell, and the hooks into IPython."""
