"""Spark's JDBC source with all its pushdown on, over the databases of `make bench-moved`: queries from the input, "ok" or an
error for each. Usage: peer_spark.py DRIVER.jar PORT."""

import sys

from peer import answer
from pyspark.sql import SparkSession

jar, port = sys.argv[-2:]
builder = SparkSession.builder.master("local[2]").config("spark.jars", jar).config("spark.ui.enabled", "false")
builder = builder.config("spark.sql.shuffle.partitions", "2").config("spark.sql.session.timeZone", "UTC")
for name in ("here", "there"):
    catalog = f"spark.sql.catalog.{name}"
    builder = builder.config(catalog, "org.apache.spark.sql.execution.datasources.v2.jdbc.JDBCTableCatalog")
    options = {
        "url": f"jdbc:postgresql://127.0.0.1:{port}/postgres", "driver": "org.postgresql.Driver", "user": "dvt", "fetchsize": "10000",
        "pushDownAggregate": "true", "pushDownLimit": "true", "pushDownOffset": "true", "pushDownTableSample": "true", "pushDownJoin": "true",
    }
    for key, value in options.items():
        builder = builder.config(f"{catalog}.{key}", value)
spark = builder.getOrCreate()
spark.sparkContext.setLogLevel("OFF")
answer(f"Spark {spark.version} JDBC", lambda sql: spark.sql(sql).collect())
