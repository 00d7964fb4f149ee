"""Answers SQL in one Spark session: a JSON line {"sql": ...} in, a JSON line with columns and rows as text, or an error, out."""

import json
import shutil
import sys

import pyspark
from pyspark.sql import SparkSession
from pyspark.sql.functions import col


def session(folder):
    build = SparkSession.builder.master("local[1]")
    settings = {
        "spark.sql.ansi.enabled": "true",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.decimalOperations.allowPrecisionLoss": "false",
        "spark.sql.timestampType": "TIMESTAMP_LTZ",
        "spark.sql.analyzer.allowSubqueryExpressionsInLambdasOrHigherOrderFunctions": "true",
        "spark.sql.shuffle.partitions": "1",
        "spark.sql.adaptive.enabled": "false",
        "spark.sql.codegen.wholeStage": "false",
        # What is compiled costs most of the time: the oldest Spark interprets, the newest compiles.
        "spark.sql.codegen.factoryMode": "NO_CODEGEN" if pyspark.__version__.startswith("3.") else "FALLBACK",
        "spark.sql.warehouse.dir": folder,
        "spark.driver.extraJavaOptions": "-Duser.timezone=UTC -Dderby.system.home=" + folder,
        "spark.driver.memory": "1g",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
    }
    for key, value in settings.items():
        build = build.config(key, value)
    return build.getOrCreate()


def answer(spark, asked):
    frame = spark.sql(asked["sql"])
    types = [kind for _, kind in frame.dtypes]
    names = frame.columns
    texts = frame.toDF(*[f"c{i}" for i in range(len(names))])
    texts = texts.select(*[col(f"c{i}").cast("string") for i in range(len(names))])
    return {"columns": list(zip(names, types)), "rows": [list(row) for row in texts.collect()]}


def main():
    spark = session(sys.argv[1])
    spark.sparkContext.setLogLevel("OFF")
    print(json.dumps({"version": spark.version}), flush=True)
    for line in sys.stdin:
        try:
            out = answer(spark, json.loads(line))
        except Exception as error:  # Whatever it is, the test shows it.
            out = {"error": str(error).split("\n\nJVM stacktrace")[0][:600]}
        print(json.dumps(out), flush=True)
    spark.stop()
    shutil.rmtree(sys.argv[1], ignore_errors=True)


main()
