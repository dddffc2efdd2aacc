"""Hive and Spark, over Thrift: PyHive's dialect, with statements that can be stopped."""
