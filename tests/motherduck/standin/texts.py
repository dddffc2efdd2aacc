"""What the service and its driver print and raise, byte for byte as far as it is known (shared/motherduck.md)."""

AUTH = "https://auth.motherduck.com"
APP = "https://app.motherduck.com"

PROMPTS = {
    "1.2": (
        "Attempting to automatically open the SSO authorization page in your default browser.\n"
        "Please open this link to login into your account: {page}/activate?user_code={code}\n"
        "\n\n"
    ),
    "2023": (
        "Attempting to automatically open the SSO authorization page in your default browser.\n"
        "1. Please open this link to login into your account: {page}/activate\n"
        "2. Enter the following code: {code}\n"
        "\n\n"
    ),
    "headless": "Please open this link to login into your account: {page}/activate?user_code={code}\n\n\n",
}
PROMPTS["crlf"] = PROMPTS["1.2"].replace("\n", "\r\n")
PROMPTS["colours"] = (
    "\x1b[1mAttempting to automatically open the SSO authorization page in your default browser.\x1b[0m\n"
    "Please open this link to login into your account: "
    "\x1b[4;36m{page}/activate?user_code={code}\x1b[0m\n\n\n"
)
PROMPTS["no line end"] = "Please open this link to login into your account: {page}/activate?user_code={code}"

SUCCESS = {
    "1.2": (
        "Token successfully retrieved ✅\n\n"
        "You can display the token and store it as an environment variable to avoid having to log in again:\n"
        "  PRAGMA PRINT_MD_TOKEN;\n"
    ),
    "2023": (
        "Token successfully retrieved ✅\n"
        "You can store it as an environment variable to avoid having to log in again:\n"
        "  $ export motherduck_token='{token}'\n"
    ),
}

DENIED = "User did not confirm their request\n⚠️ Token not found, please use the SET command: …\n"
EXPORT = "export motherduck_token='{token}'\n"

EXTENSION = "/root/.duckdb/extensions/v1.5.6/linux_amd64/motherduck.duckdb_extension"
WRAPPERS = {
    "threw": (
        f'Invalid Input Error: Initialization function "motherduck_duckdb_cpp_init" from file "{EXTENSION}"'
        ' threw an exception: "{cause}"'
    ),
    "older": (
        f'Invalid Input Error: Initialization function "motherduck_init" from file "{EXTENSION}"'
        ' threw an exception: "{cause}"'
    ),
    "failed": (
        f'Invalid Input Error: Initialization function "motherduck_duckdb_cpp_init" from file "{EXTENSION}"'
        " failed: {cause}"
    ),
    "bare": "Invalid Input Error: {cause}",
}
"""What DuckDB puts around whatever the extension raises inside its initialisation, which is at every connect.

`bare` is for a connection after the first, when the extension is loaded already.
"""

REQUEST = "request id: '5f0c7f3e-92d1-4a51-b2a3-90b1a60b4c1c'"

# What the extension raises at connecting, before it is wrapped.
NO_TOKEN = "Cannot connect to MotherDuck server: no token provided. …"  # noqa: S105 - a message
UNAUTHENTICATED = "Your request is not authenticated. Please check your MotherDuck token."
MALFORMED = (
    f"Invalid Error: Request failed: {UNAUTHENTICATED}"
    f" (Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections, {REQUEST})"
)
REFUSED = "Invalid MotherDuck token (PERMISSION_DENIED, RPC 'CREATE_SLT')"
EXPIRED = f"Invalid Error: Request failed: {UNAUTHENTICATED} (Jwt is expired, {REQUEST})"
NO_DATABASE = "Failed to attach '{name}': no database/share named '{name}' found"

# What the service answers to a statement on an open connection.
REVOKED = f"Invalid Input Error: {UNAUTHENTICATED} (Jwt verification fails, {REQUEST})"
FORBIDDEN = "Permission Error: Your plan does not allow this. Upgrade to the Business plan to use it."
INTERRUPTED = "INTERRUPT Error: Interrupted!"
NO_SHARE = f"Catalog Error: {NO_DATABASE}"
LOSSES = {
    "unavailable": (
        "IO Error: UNAVAILABLE: failed to connect to all addresses; last error: UNKNOWN:"
        " ipv4:203.0.113.7:443: Failed to connect to remote host: Connection refused"
    ),
    "deadline": f"IO Error: Request failed: (DEADLINE_EXCEEDED, RPC 'SETUP_PLAN_FRAGMENTS', {REQUEST})",
    "closed": "IO Error: Connection to MotherDuck was lost: closed connection",
}

# What DuckDB itself raises at connecting, so that nothing wraps it.
SAME_FILE = (
    "Connection Error: Can't open a connection to same database file with a different configuration"
    " than existing connections"
)
UNKNOWN_OPTIONS = "Invalid Input Error: The following options were not recognized: {names}"
_DOWNLOAD = (
    'Failed to download extension "motherduck" at URL '
    '"http://extensions.duckdb.org/v1.5.6/linux_amd64/motherduck.duckdb_extension.gz"'
)
UNWRAPPED = {
    "no extension": f"IO Error: {_DOWNLOAD}",
    "unknown extension": f'HTTP Error: {_DOWNLOAD} (HTTP 404)\nExtension "motherduck" is an existing extension.',
}

OUTAGES = {
    "no network": (
        'Failed to download "http://api.motherduck.com/extension_version" (attempt 5): Could not establish connection'
    ),
    "too new": (
        "Your DuckDB version (v2.0.0) is not yet supported by MotherDuck. "
        "The latest supported version is v1.5.6. Please downgrade to use MotherDuck."
    ),
    "too old": ("\nYour DuckDB version (v1.3.2) is not supported by MotherDuck. Please upgrade DuckDB to v1.5.6"),
    "not for this version": (
        "MotherDuck extension is not available for this DuckDB version (v1.5.9) and platform (linux_amd64)"
    ),
    "try later": "Could not connect to MotherDuck. Please try again later.",
    "unavailable": f"Invalid Error: Request failed: (UNAVAILABLE, RPC 'CREATE_SLT_V2', {REQUEST})",
    "limit": f"Invalid Error: Request failed: You've reached the daily compute limit for this plan. ({REQUEST})",
    "not allowed": f"Invalid Error: Request failed: (PERMISSION_DENIED, RPC 'GET_SHARE', {REQUEST})",
}
"""What the extension raises at connecting, before it is wrapped, where the token is not to blame."""


def wrapped(cause: str, wrapper: str = "threw") -> str:
    """Return *cause* as it reaches Python from `duckdb.connect`."""
    return WRAPPERS[wrapper].format(cause=cause)


def outage(name: str, wrapper: str = "threw") -> str:
    """Return what `duckdb.connect` raises in the outage *name*."""
    return UNWRAPPED[name] if name in UNWRAPPED else wrapped(OUTAGES[name], wrapper)
