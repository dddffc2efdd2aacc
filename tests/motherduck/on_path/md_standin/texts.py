"""What the service and its driver print and raise, byte for byte as far as it is known (shared/motherduck.md)."""

AUTH = "https://auth.motherduck.com"

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
NO_TOKEN = "Invalid Input Error: Cannot connect to MotherDuck server: no token provided. …"  # noqa: S105 - a message
EXPORT = "export motherduck_token='{token}'\n"

MALFORMED = "Invalid Input Error: Jwt is not in the form of Header.Payload.Signature with two dots and 3 sections"
REFUSED = "Invalid Input Error: Invalid MotherDuck token (PERMISSION_DENIED, RPC 'CREATE_SLT')"
EXPIRED = "Invalid Input Error: Your request is not authenticated. Please check your MotherDuck token."
NO_DATABASE = "Catalog Error: no database/share named '{name}' found"
NO_SHARE = "Catalog Error: The share {name} does not exist, or you have no access to it"
LOST = "IO Error: Connection to MotherDuck was lost: closed connection"
SAME_FILE = (
    "Connection Error: Can't open a connection to same database file with a different configuration"
    " than existing connections"
)
UNKNOWN_OPTIONS = "Invalid Input Error: The following options were not recognized: {names}"

OUTAGES = {
    "no extension": (
        'IO Error: Failed to download extension "motherduck" at URL '
        '"http://extensions.duckdb.org/v1.5.6/linux_amd64/motherduck.duckdb_extension.gz"'
    ),
    "no network": (
        'Invalid Input Error: Initialization function "motherduck_duckdb_cpp_init" from file '
        '"/root/.duckdb/extensions/v1.5.6/linux_amd64/motherduck.duckdb_extension" threw an exception: "Failed to '
        'download "http://api.motherduck.com/extension_version" (attempt 5): Could not establish connection"'
    ),
    "too new": (
        "Invalid Input Error: Your DuckDB version (v2.0.0) is not yet supported by MotherDuck. "
        "The latest supported version is v1.5.6. Please downgrade to use MotherDuck."
    ),
    "too old": (
        "Invalid Input Error: Your DuckDB version (v1.3.2) is not supported by MotherDuck. "
        "Please upgrade DuckDB to v1.5.6"
    ),
}
