"""Introspection: the catalog queries of each kind of database. Every answer consists of plain rows.

An introspection uses one connection. `md_magic.catalog.introspect` chooses the connection, takes its lock and
translates errors; nothing else calls these modules.
"""
