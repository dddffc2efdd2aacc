"""Reserved words: those of each database, as far as something can be asked for them."""

from __future__ import annotations

import subprocess
import sys

import duckdb
import pytest

from md_magic.sql import keywords

FORMS = [
    "select {} from t",
    "select * from {}",
    "select x.{} from t x",
    "select {}.a from {}",
    "select a from t where {} = 1 order by {}",
    "with {} as (select 1) from {}",
    "insert into {}({}) values (1)",
    "update {} set {} = 1",
    "create table {}({} int)",
]


def test_words_that_duckdbs_parser_refuses_as_names_are_reserved():
    connection = duckdb.connect()

    def is_name(word):
        try:
            for form in FORMS:
                connection.extract_statements(form.replace("{}", word))
        except duckdb.ParserException:
            return False
        return True

    words = keywords.duckdb_keywords()
    assert len(words) > 400
    refused = {word for word in words if not is_name(word)}
    assert refused <= keywords.reserved()
    assert {words[word] for word in keywords.reserved() - refused} <= {"type_function"}  # such as `1::map`


def test_duckdbs_categories_are_those_that_are_known():
    assert set(keywords.duckdb_keywords().values()) == {"reserved", "unreserved", "column_name", "type_function"}


@pytest.mark.parametrize(
    ("dialect", "words", "no_words"),
    [
        ("duckdb", "binary select pivot qualify", "index values rank groups user"),
        ("sqlite", "index values returning nothing select", "rank user pivot"),
        ("mysql", "rank groups window of over lateral cume_dist", "user pivot summarize"),
        ("mariadb", "select over rows", "pivot summarize"),
        ("postgresql", "user lateral tablesample system_user select", "index values rank"),
        ("nobody_knows", "select user", "rank"),
    ],
)
def test_a_database_has_its_own(dialect, words, no_words):
    reserved = keywords.reserved(dialect)
    assert [word for word in words.split() if word not in reserved] == []
    assert [word for word in no_words.split() if word in reserved] == []


def test_importing_it_imports_no_database():
    code = (
        "import sys, md_magic.sql.keywords, md_magic.sql.quoting, md_magic.sql.tokens;"
        "assert not {'duckdb', 'sqlalchemy', 'sqlglot', 'pandas'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
