"""Options of JupySQL that are none here, each with what does its work: notebooks move from one to the other."""

_OF_JUPYSQL = {
    ("-l",): "--connections lists what is open",
    ("-x",): "--close TARGET closes a connection",
    ("-f",): "--file PATH runs a file",
    ("-S",): "--save NAME keeps a SELECT",
    ("-A",): "--alias NAME names a target",
    ("-w", "--with"): "a saved query needs none: write its name in FROM",
    ("-N", "--no-execute"): "--save NAME --dry-run keeps a SELECT without running it",
    ("-p", "--persist"): "--to TABLE --frame NAME writes a DataFrame variable",
    ("-P", "--persist-replace"): "--to TABLE --frame NAME --replace writes a DataFrame variable",
    ("-n", "--no-index"): "--to never writes the index",
    ("-c", "--creator"): "--engine NAME runs on an Engine of yours, such as create_engine(url, creator=...)",
    ("-a", "--connection_arguments", "--connection-arguments"): (
        "--config NAME opens DuckDB with the settings of a dict variable; elsewhere --engine NAME runs on an Engine"
    ),
    ("-s", "--section"): "@NAME is a target of the setting targets: %config MdsqlMagics.targets = {'NAME': 'URI'}",
    ("-i", "--interact"): "--live runs the cell again when a control of ipywidgets that :NAME binds changes",
    ("--displaycon",): "--connections lists what is open, and --quiet has no status line",
}
COUNTERPARTS = {flag: counterpart for flags, counterpart in _OF_JUPYSQL.items() for flag in flags}
"""What does here what an option of JupySQL's does there, by each of its flags."""
