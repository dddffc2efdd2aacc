"""What a secret never shows, and how it is masked in other texts."""

from __future__ import annotations

import copy
import logging
import pickle
import time
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given
from hypothesis import strategies as st

from md_magic.auth import secret as secrets
from md_magic.auth.secret import (
    MaskedURI,
    Secret,
    is_secret_name,
    mask_connection,
    scrub,
    secrets_in_sql,
    secrets_told,
    secrets_typed,
)
from md_magic.auth.token import Token
from tests.motherduck.standin.service import make_token

JWT = make_token("ann@example.com")
OLD = "q8Zk3mWx7Tn2Lp5Rv9Yb4Hc6Jd1Fg0Sa"


class TestSecret:
    def test_no_text_made_of_it_shows_its_value(self, caplog: pytest.LogCaptureFixture) -> None:
        secret = Secret(JWT)
        token = Token.of(secret, "typed")
        logging.getLogger("test").warning("%s %r", secret, token)
        shown = [
            repr(secret),
            str(secret),
            f"{secret:>400} {token}",
            f"{secret!r}",
            repr([token]),
            caplog.text,
        ]
        assert not [text for text in shown if any(part in text for part in JWT.split("."))]

    def test_it_cannot_be_pickled_and_the_refusal_does_not_quote_it(self) -> None:
        with pytest.raises(TypeError, match="not pickled") as caught:
            pickle.dumps(Token.of(Secret(JWT), "typed"))
        assert JWT not in str(caught.value)

    def test_it_compares_and_hashes_by_value(self) -> None:
        assert Secret("a") == Secret("a") != Secret("b")
        assert len({Secret("a"), Secret("a"), Secret("b")}) == 2
        assert Secret("a") != "a"

    def test_copies_are_itself(self) -> None:
        secret = Secret("a")
        assert copy.copy(secret) is copy.deepcopy(secret) is secret

    def test_its_digest_tells_two_apart_and_is_none_of_it(self) -> None:
        assert Secret(JWT).digest() == Secret(JWT).digest() != Secret(OLD).digest()
        assert Secret(JWT).digest() not in JWT


class TestScrub:
    @pytest.mark.parametrize(
        "text",
        [
            pytest.param(JWT, id="whole"),
            pytest.param(f"LINE 1: SET motherduck_token='{JWT[:60]}...", id="shortened"),
            pytest.param(f"...{JWT[70:110]}...", id="a window"),
            pytest.param("-".join(JWT.split(".")), id="parts"),
            pytest.param(quote(JWT, safe=""), id="percent-encoded"),
            pytest.param(f"{JWT}{JWT}", id="twice"),
        ],
    )
    def test_no_part_of_a_token_stays(self, text: str) -> None:
        clean = scrub(f"before {text} after", [Secret(OLD), Secret(JWT)])
        assert clean.startswith("before ")
        assert clean.endswith(" after")
        assert not [at for at in range(len(JWT) - 7) if JWT[at : at + 8] in clean]

    def test_passwords_with_odd_characters(self) -> None:
        word = "p@ss 'w/ö\\rd"
        written = [word, quote(word, safe=""), quote_plus(word), word.replace("'", "''"), repr(word)[1:-1]]
        assert [scrub(text, [Secret(word)]) for text in written] == ["***"] * 5

    def test_everything_else_stays(self) -> None:
        text = "Catalog Error: Table with name tbl does not exist!\nLINE 1: FROM tbl\n             ^"
        assert scrub(text, [Secret(JWT), Secret("")]) == text

    @pytest.mark.parametrize("word", ["test", "root", "1234", "password", "postgres"])
    def test_a_password_that_is_a_word_is_masked_in_uris_and_left_alone_in_prose(self, word: str) -> None:
        text = f"Table '{word}.{word}_orders' doesn't exist on mysql://{word}:{word}@h/{word}?password={word}"
        shown = f"Table '{word}.{word}_orders' doesn't exist on mysql://{word}:***@h/{word}?password=***"
        assert scrub(text, [Secret(word)]) == shown

    def test_a_short_password_that_is_no_word_is_masked(self) -> None:
        assert scrub("denied: s3cr!t", [Secret("s3cr!t")]) == "denied: ***"

    def test_of_a_uri_only_the_password_is_a_secret(self) -> None:
        text = "see https://duckdb.org: cannot reach http://u:hunter2x@proxy:80, hunter2x"
        scrubbed = scrub(text, [Secret("http://u:hunter2x@proxy:80")])
        assert "hunter2x" not in scrubbed
        assert scrubbed.startswith("see https://duckdb.org: cannot reach ")

    @pytest.mark.parametrize(
        "text",
        [
            "postgresql://u:XYZZY@h/d",
            "postgresql://u:XY/ZZY@h/d",
            "postgresql://u:XY@ZZY@h/d",
            "postgresql://u:XY?ZZY@h/d",
            "http://:XYZZY@h",
            "md:d?motherduck_token=XYZZY",
            "x://h/d?a=1&PWD=XYZZY;b",
        ],
    )
    def test_a_uri_of_anybody_is_masked(self, text: str) -> None:
        masked = scrub(f"before {text} after", [])
        assert not {"XY", "ZZY"} & {masked[at : at + size] for size in (2, 3) for at in range(len(masked))}
        assert masked.startswith("before ")
        assert masked.endswith(" after")


@pytest.mark.parametrize(
    "name",
    [
        "motherduck_token",
        "PWD",
        "password",
        "passwd",
        "pass",
        "passcode",
        "passphrase",
        "sslpassword",
        "private_key_passphrase",
        "encryption_key",
        "azure_storage_connection_string",
        "odbc_connect",
        "aws_secret_access_key",
        "aws_access_key_id",
        "s3_secret_access_key",
        "s3_access_key_id",
        "s3_session_token",
        "KEY_ID",
        "SECRET",
        "http_proxy_password",
        "account_key",
        "AccountKey",
        "api_key",
        "apikey",
        "client_secret",
        "credentials_base64",
        "connection_string",
        "SharedAccessSignature",
        "bearer_token",
        "X-Api-Key",
        "Proxy-Authorization",
        "X-Auth-Token",
        "Ocp-Apim-Subscription-Key",
        "Cookie",
    ],
)
def test_names_of_secrets(name: str) -> None:
    assert is_secret_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "threads",
        "memory_limit",
        "s3_region",
        "s3_endpoint",
        "http_proxy",
        "http_proxy_username",
        "user",
        "host",
        "access_mode",
        "session_name",
        "attach_mode",
        "secret_directory",
        "allow_persistent_secrets",
        "compass",
        "bypass",
        "passenger",
        "keyspace",
        "sslmode",
        "key_column",
    ],
)
def test_names_of_what_is_no_secret(name: str) -> None:
    assert not is_secret_name(name)


@pytest.mark.parametrize(
    ("sql", "found"),
    [
        pytest.param("ATTACH 'postgres://u:XYZZY@h/d' AS p", {"XYZZY"}, id="URI"),
        pytest.param("ATTACH 'host=h user=u password=XYZZY' AS p (TYPE postgres)", {"XYZZY"}, id="words"),
        pytest.param("ATTACH 'host=h password=''XYZZY''' AS p (TYPE postgres)", {"XYZZY"}, id="words, quoted"),
        pytest.param(
            "ATTACH 'host=h password=''XYZ ZY'' user=''u''' AS p", {"XYZ ZY"}, id="words, quoted with a blank"
        ),
        pytest.param("ATTACH 'https://h/x.db?sv=1&sig=XYZZY' AS x", {"XYZZY"}, id="signature"),
        pytest.param("ATTACH 'x.db' AS x (ENCRYPTION_KEY 'XYZZY')", {"XYZZY"}, id="option"),
        pytest.param("SET s3_secret_access_key = 'XYZZY'", {"XYZZY"}, id="setting"),
        pytest.param("CREATE SECRET s (TYPE s3, KEY_ID 'ABC', SECRET 'XYZZY')", {"ABC", "XYZZY"}, id="secret"),
        pytest.param("CREATE USER u WITH PASSWORD 'XYZZY'", {"XYZZY"}, id="user"),
        pytest.param("SELECT 'XYZZY' AS token", set(), id="a query holds none"),
        pytest.param("SET threads = 4", set(), id="a setting that is none"),
    ],
)
def test_secrets_in_sql(sql: str, found: set[str]) -> None:
    assert {secret.reveal() for secret in secrets_in_sql(sql, sql.split(maxsplit=1)[0])} >= found
    assert {secret.reveal() for secret in secrets_in_sql(sql, sql.split(maxsplit=1)[0])} <= {*found, "XYZZY"}


def test_a_setting_shows_no_password() -> None:
    uri = MaskedURI("postgresql://u:XYZZY@h/d?password=XYZZY")
    assert uri == "postgresql://u:XYZZY@h/d?password=XYZZY"
    assert repr({"prod": uri}) == "{'prod': 'postgresql://u:***@h/d?password=***'}"


@pytest.mark.parametrize(
    "chunk",
    [
        "//a:",
        "//a:@",
        "a=",
        "password=",
        "a@",
        "@//a:",
        "' ",
        "a={",
        'a="',
        "secret '",
        "?a&",
        "secret $a$",
        "'a=",
        "key \\'",
        '"',
        "$",
    ],
)
def test_hostile_texts_are_masked_soon(chunk: str) -> None:
    text = chunk * (100_000 // len(chunk))
    began = time.process_time()
    scrub(text, [Secret("s3cr!t-of-someone")])
    mask_connection(text)
    secrets_in_sql(text, "SET")
    secrets_told(text)
    assert time.process_time() - began < 3


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT 1; CREATE SECRET s (TYPE s3, SECRET 'XYZZY1')",
        "-- the bucket\nCREATE SECRET s (TYPE s3, SECRET 'XYZZY1')",
        "/* ; */ ; ; CREATE SECRET s (TYPE s3, SECRET 'XYZZY1')",
        "SELECT 'a;b'; ATTACH 'x.db' AS x (ENCRYPTION_KEY 'XYZZY1')",
        "CREATE USER ann IDENTIFIED BY 'XYZZY1'",
        "create user ann identified by 'XYZZY1'",
        "ALTER USER ann WITH PASSWORD 'XYZZY1'",
        "GRANT ALL ON shop.* TO ann IDENTIFIED BY 'XYZZY1'",
        "PRAGMA add_parquet_key('k', 'XYZZY1')",
        "EXPLAIN CREATE SECRET s (TYPE s3, SECRET 'XYZZY1')",
        "( ATTACH 'x.db' AS x (ENCRYPTION_KEY 'XYZZY1')",
    ],
)
def test_a_secret_in_any_statement_is_found(sql: str) -> None:
    assert "XYZZY1" in {secret.reveal() for secret in secrets_told(sql)}


@pytest.mark.parametrize(
    "sql",
    [
        "FROM postgres_scan('host=h user=u password=XYZZY1', 's', 't')",
        "SELECT * FROM postgres_query('host=h password=''XYZZY1'' user=u', 'SELECT 1')",
        "WITH a AS (SELECT 1) FROM mysql_scan('host=h passwd=XYZZY1', 's', 't')",
        "SELECT * FROM dblink('host=h password=XYZZY1', 'SELECT 1') AS t(a int)",
        "SELECT dblink_connect('c', E'host=h password=XYZZY1')",
        "SELECT dblink_connect($$ host=h password=XYZZY1 $$)",
        "SELECT dblink_connect($a$dbname=x password = XYZZY1$a$)",
        "SELECT * FROM odbc_scan('Driver={x};UID=u;PWD={XYZZY1}', 't')",
        "SELECT 1; SELECT dblink_connect('password=XYZZY1')",
        "SELECT * FROM http_get('https://h', headers => MAP {'Authorization': 'Bearer XYZZY1'})",
        "COPY t TO 's3://b/t.csv' CREDENTIALS 'aws_access_key_id=k;aws_secret_access_key=XYZZY1'",
        "CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET E'XYZZY1')",
        "CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET $$XYZZY1$$)",
        "CREATE SECRET (TYPE s3, KEY_ID 'k', SECRET $a$XYZZY1$a$)",
        'CREATE OR REPLACE PERSISTENT SECRET s (TYPE s3, SECRET "XYZZY1", KEY_ID k)',
        "CREATE SECRET (TYPE s3, SECRET XYZZY1, KEY_ID k)",
        "CREATE SECRET (TYPE s3, SECRET ('XYZZY1'))",
        "CREATE SECRET (TYPE s3, \"SECRET\" 'XYZZY1')",
        "CREATE SECRET s (TYPE http, EXTRA_HTTP_HEADERS MAP {'Authorization': 'Bearer XYZZY1'})",
        "CREATE SECRET s (TYPE http, EXTRA_HTTP_HEADERS MAP {'X-Api-Key': 'XYZZY1'})",
        "CREATE SECRET s (TYPE http, EXTRA_HTTP_HEADERS MAP {'Cookie' : E'XYZZY1'})",
        "CREATE SECRET s (TYPE http, EXTRA_HTTP_HEADERS map(['Authorization'], ['Bearer XYZZY1']))",
        "ALTER ROLE x PASSWORD E'XYZZY1'",
        "ALTER USER x WITH ENCRYPTED PASSWORD $$XYZZY1$$ VALID UNTIL 'infinity'",
        "ALTER USER x PASSWORD U&'XYZZY1'",
        "SET PASSWORD FOR u = PASSWORD('XYZZY1')",
        "SET PASSWORD FOR 'u'@'h' = 'XYZZY1'",
        'SET PASSWORD = "XYZZY1"',
        'CREATE USER ann IDENTIFIED BY "XYZZY1"',
        "CREATE USER ann IDENTIFIED BY PASSWORD 'XYZZY1'",
        "CREATE USER ann IDENTIFIED VIA mysql_native_password USING PASSWORD('XYZZY1')",
        "ALTER USER ann IDENTIFIED WITH 'caching_sha2_password' BY 'XYZZY1'",
        "ALTER USER ann IDENTIFIED WITH mysql_native_password AS 'XYZZY1'",
        "CHANGE MASTER TO MASTER_HOST='h', MASTER_PASSWORD='XYZZY1'",
        "CREATE USER MAPPING FOR u SERVER s OPTIONS (user 'u', password 'XYZZY1')",
        "CREATE SUBSCRIPTION s CONNECTION 'host=h password=XYZZY1' PUBLICATION p",
    ],
)
def test_a_secret_in_any_spelling_is_masked(sql: str) -> None:
    assert "XYZZY1" not in scrub(sql, secrets_told(sql))
    assert "XYZZY1" not in scrub("the server got XYZZY1 of you", secrets_told(sql))


@pytest.mark.parametrize("password", ["XYZ''ZY1", "XYZ\\'ZY1", "XYZ\\\\ZY1", "XY ZZY1", "XY(Z)Y,1", "ZYX1\\"])
@pytest.mark.parametrize(
    "sql", ["ALTER ROLE x PASSWORD E'{}'", "ALTER ROLE x PASSWORD '{}'", "SET PASSWORD = PASSWORD('{}')"]
)
def test_a_quote_within_a_password_does_not_end_it(sql: str, password: str) -> None:
    shown = scrub(sql.format(password), secrets_told(sql.format(password)))
    assert not [part for part in ("XY", "ZY", "Y1") if part in shown]


@pytest.mark.parametrize(
    "sql",
    [
        *("", ";", "SELECT 1", "-- CREATE", "/*", "SELECT 'password'", "PASSWORD 'x'"),
        "SELECT name, password, secret FROM users WHERE password IS NULL",
        'SELECT password AS "the word of the user" FROM users',
        "SELECT * FROM users WHERE token = 'something' AND key IN ('something else')",
        "CREATE TABLE users (name VARCHAR, password VARCHAR DEFAULT 'something', token TEXT)",
        'CREATE TABLE words AS SELECT secret "the word of the user", password 	"another word" FROM users',
        "CREATE VIEW words AS SELECT name AS secret, token, count(password) FROM users",
        'ALTER TABLE users RENAME password TO "another word"',
        "CREATE SECRET something (TYPE s3, PROVIDER credential_chain, REGION 'eu-central-1')",
        "CREATE SECRET something IN local_file (TYPE s3, SECRET getenv('SOMETHING'), KEY_ID $key)",
        "SELECT * FROM log WHERE line LIKE '%password=something%'",
        "SELECT 'Bearer of bad news', 'a = b', {'token': 'something'}",
        "SET VARIABLE a = $$something$$",
    ],
)
def test_no_secret_is_found_where_no_statement_tells_one(sql: str) -> None:
    assert scrub(sql, secrets_told(sql)) == sql


@pytest.mark.parametrize("part", [";/*", "--", ";", "/*;", "; ", "CREATE", "'", "\n"])
def test_the_search_for_secrets_is_linear(part: str) -> None:
    assert secrets_told(part * 20_000) == ()


def test_a_secret_may_hold_a_lone_surrogate():
    secret = Secret("Xq7\ud800hunter2")
    assert secret == Secret("Xq7\ud800hunter2")
    assert len(secret.digest()) == 12
    assert scrub("it is Xq7\ud800hunter2", [secret]) == "it is ***"


PIECES = st.sampled_from([
    *("SELECT 1", "SET ", "ATTACH ", "CREATE ", "CREATE SECRET (", "EXPLAIN ", "ALTER USER u ", ";", "\n", "--", " ", ")"),
    *("'x y'", "'pw1234567'", '"k"', " = ", "=", "?", "&", "://", "u:p@ss", "@h", "%40", "%3Dx", "p%61ssword", "Ｋey", "\u212a"),
    *("E'", "$$", "$a$", "'X-Api-Key': ", "Cookie", "MAP {", "PASSWORD(", "CHANGE ", "'host=h ", "Bearer x1"),
    *("TOKEN", "Passwd", "PWD", "pass", "_pass", "secret", "credential", "passcode", "api_key", "KEY", "key_id", "apikey"),
    *("connection_string", "conn_str", "odbc_connect", "auth", "authorization", "Bearer", "signature", "IDENTIFIED BY "),
    *("ADD_PARQUET_KEY('k', ", "passphraſe", "\u212aey", "ſecret", "author\u0131zation", "postgresql://"),
])  # fmt: skip


@given(st.lists(PIECES, max_size=9).map("".join))
def test_a_text_without_a_hint_has_no_secret(text: str) -> None:
    quick = secrets_typed(text, text), secrets_told(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(secrets, "_may_tell", lambda _text: True)
        assert (secrets_typed(text, text), secrets_told(text)) == quick
