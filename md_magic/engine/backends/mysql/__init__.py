"""MySQL and MariaDB: their connection and their types."""
