"""Names that break what is not quoted or split right."""

NAMES = ['we"ird', "do.ts", '"', '""', 'a"".""b', "line\nfeed", "日本語", "100%", "a b", "o'brien", "SELECT", "x;--"]


def quoted(name):
    return '"' + name.replace('"', '""') + '"'
