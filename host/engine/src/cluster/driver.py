"""What dvt runs to reach Spark: one session, orders in and events out as JSON lines.

Runs on PySpark 3.5 and 4.x, with a session of its own or over Spark Connect. Standard input ends when dvt does, whatever
ended it: the session is then stopped. Everything that is no event goes to standard error, which is dvt's log of Spark.
"""

import json
import os
import re
import sys
import threading
import time

# Spark's progress bars and Java's warnings must not get between the events.
EVENTS = os.fdopen(os.dup(1), "w", encoding="utf-8")
os.dup2(2, 1)

LOCK = threading.Lock()
PAUSE = 0.5
# Seconds without a running task after which a job is reported as waiting.
STARVED = 15
# What runs where was decided by dvt's planner: Spark would push filters down by its own meaning of text, which differs.
JDBC = {
    "pushDownPredicate": "false",
    "pushDownAggregate": "false",
    "pushDownLimit": "false",
    "pushDownOffset": "false",
    "pushDownTableSample": "false",
    "preferTimestampNTZ": "true",
}
LINKS = 25
# The view at the end of a read, in the name of its scan.
SCAN = re.compile(r"^Scan JDBCRelation\(.*\) (\w+)\) ", re.DOTALL)


def tell(event, **values):
    with LOCK:
        EVENTS.write(json.dumps({"event": event, **values}) + "\n")
        EVENTS.flush()


def quoted(name):
    return "`" + name.replace("`", "``") + "`"


def links(java):
    """The chain of a Java exception, the outermost first."""
    chain = []
    while java is not None and len(chain) < LINKS:
        link = {"class": java.getClass().getName(), "message": java.getMessage() or ""}
        if hasattr(java, "getSQLState"):
            try:
                link["sqlstate"] = java.getSQLState()
                # A batch names the row that failed, with its values; what the database said is the next one.
                following = java.getNextException()
                if following is not None:
                    chain.append({**link, "message": "a batch failed"})
                    java = following
                    continue
            except Exception:
                pass
        chain.append(link)
        java = java.getCause()
    return chain


def failure(error):
    """An exception as dvt reads it."""
    told = {"class": type(error).__name__, "message": str(error), "chain": [], "gone": False}
    for name in ("getErrorClass", "getCondition"):
        try:
            told["condition"] = getattr(error, name)() or told.get("condition")
        except Exception:
            pass
    try:
        told["sqlstate"] = error.getSqlState()
    except Exception:
        pass
    if type(error).__name__ in ("Py4JNetworkError", "ConnectionRefusedError", "ConnectionResetError"):
        told["gone"] = True
    try:
        told["chain"] = links(getattr(error, "java_exception", None) or getattr(error, "_origin", None))
    except Exception as dead:
        told["gone"] = told["gone"] or "Py4JNetwork" in type(dead).__name__ or isinstance(dead, OSError)
    return told


class Session:
    def __init__(self, order):
        from pyspark.sql import SparkSession

        self.master = order["master"]
        self.conf = order["conf"]
        self.remote = self.master.startswith("sc://")
        if self.remote:
            self.spark = self.fresh()
            for jar in order.get("jars", []):
                self.spark.addArtifact(jar)
        else:
            builder = SparkSession.builder.master(self.master)
            for key, value in self.conf.items():
                builder = builder.config(key, value)
            self.spark = builder.getOrCreate()
            self.context = self.spark.sparkContext
            self.context.setLogLevel(order.get("log_level", "WARN"))
        self.jobs = {}

    def fresh(self):
        """A session with views of its own."""
        if not self.remote:
            return self.spark.newSession()
        from pyspark.sql import SparkSession

        spark = SparkSession.builder.remote(self.master).create()
        for key, value in self.conf.items():
            if key.startswith("spark.sql."):
                try:
                    spark.conf.set(key, value)
                except Exception as error:
                    print("not set:", key, error, file=sys.stderr)
        return spark

    def label(self, job):
        if self.remote:
            job.spark.addTag(job.tag)
        else:
            self.context.setJobGroup(job.tag, job.tag, interruptOnCancel=True)

    def cancel(self, job):
        job.cancelled = True
        if self.remote:
            job.spark.interruptTag(job.tag)
        else:
            self.context.cancelJobGroup(job.tag)

    def watch(self):
        """Tells how far each job is."""
        tracker = self.context.statusTracker()
        while True:
            time.sleep(PAUSE)
            for number, job in list(self.jobs.items()):
                if not job.writing:
                    continue
                try:
                    self.look(tracker, number, job)
                except Exception:
                    # A stage may end while it is looked at.
                    pass

    def look(self, tracker, number, job):
        stages = ended = tasks = done = active = 0
        for spark_job in tracker.getJobIdsForGroup(job.tag):
            info = tracker.getJobInfo(spark_job)
            if not info:
                continue
            over = info.status == "SUCCEEDED"
            for stage_id in info.stageIds:
                stage = tracker.getStageInfo(stage_id)
                stages += 1
                # One whose result was at hand never runs.
                ended += over or bool(stage and stage.numTasks == stage.numCompletedTasks)
                if stage:
                    tasks, done, active = tasks + stage.numTasks, done + stage.numCompletedTasks, active + stage.numActiveTasks
        now = time.monotonic()
        if active or done == tasks or done != job.done:
            job.moved = now
        job.done = done
        tell("progress", id=number, stages=stages, ended=ended, tasks=tasks, done=done, starved=now - job.moved > STARVED)


class Job:
    def __init__(self, session, number, tag):
        self.session, self.number, self.tag = session, number, tag
        self.spark = session.fresh()
        self.frame = None
        self.views, self.kept = {}, []
        self.writing = self.cancelled = False
        self.done, self.moved = 0, time.monotonic()

    def read(self, one):
        if one["format"] == "parquet":
            frame = self.spark.read.parquet(one["path"])
        else:
            options = {**JDBC, **one["options"]} if one["format"] == "jdbc" else one["options"]
            frame = self.spark.read.format(one["format"]).options(**options).load()
        columns = ["cast(c%d as %s) as %s" % (i, c["type"], quoted(c["name"])) for i, c in enumerate(one["columns"])]
        frame = self.views[one["name"]] = frame.selectExpr(*columns)
        for name in [one["name"], *one["aliases"]]:
            frame.createOrReplaceTempView(name)
        # A file stays as it is; a source is asked once.
        if one["aliases"] and one["format"] != "parquet":
            self.keep(frame)

    def keep(self, frame):
        self.kept.append(frame.persist())

    def keep_what_is_read_twice(self, reads):
        """A query that Spark puts in several places would be asked of its source in each, at different moments."""
        plan = self.optimised()
        for one in reads:
            if not one["aliases"] and plan.count(") %s) [numPartitions=" % one["name"]) > 1:
                self.keep(self.views[one["name"]])

    def optimised(self):
        """The plan of the query as text, none of it cut off."""
        if not self.session.remote:
            return self.frame._jdf.queryExecution().optimizedPlan().toString()
        # A server says it among others.
        return self.frame._explain_string(extended=True).split("== Optimized Logical Plan ==")[-1].split("== Physical Plan ==")[0]

    def close(self):
        for frame in self.kept:
            frame.unpersist()
        if self.session.remote:
            self.spark.stop()

    def describe(self, order):
        self.session.label(self)
        for one in order["reads"]:
            self.read(one)
        self.frame = self.spark.sql(order["sql"])
        self.keep_what_is_read_twice(order["reads"])
        fields = self.frame.schema.fields
        return [{"name": f.name, "type": f.dataType.simpleString()} for f in fields]

    def write(self, order):
        self.session.label(self)
        plain = self.frame.toDF(*["c%d" % i for i in range(len(self.frame.columns))])
        columns = ["%s as %s" % (c["by"].replace("{}", "c%d" % i), quoted(c["name"])) for i, c in enumerate(order["columns"])]
        out = plain.selectExpr(*columns)
        if order.get("limit") is not None:
            out = out.limit(order["limit"])
        self.moved, self.writing = time.monotonic(), True
        try:
            return (self.files if order.get("path") else self.table)(out, order), self.scanned()
        finally:
            self.writing = False

    def files(self, out, order):
        """Into a folder. Spark commits each task's file once, whatever was tried; the rows of those are counted."""
        from pyspark.sql import Observation
        from pyspark.sql.functions import count, lit

        seen = Observation("dvt_%d" % self.number)
        out = out.observe(seen, count(lit(1)).alias("rows"))
        out.write.format(order["format"]).mode(order["mode"]).options(**order["options"]).save(order["path"])
        return self.rows(seen)

    def table(self, out, order):
        """Into a table that exists. Spark says nothing of the rows it sends there: they are counted before they go."""
        out = out.persist()
        try:
            rows = out.count()
            if rows:
                out.write.format(order["format"]).mode(order["mode"]).options(**order["options"]).save()
            return rows
        finally:
            try:
                out.unpersist()
            except Exception as error:
                print("unpersist:", error, file=sys.stderr)

    def rows(self, seen):
        """How many rows were written; None where Spark does not say."""
        found = []
        # A plan that was optimised away never reports: this must not wait for ever.
        waiting = threading.Thread(target=lambda: found.append(seen.get.get("rows")), daemon=True)
        waiting.start()
        waiting.join(20)
        return found[0] if found else None

    def scanned(self):
        """Rows that each scan gave, by its name, as far as Spark counted them."""
        if self.session.remote:
            return {}
        rows, seen = {}, set()
        try:
            store = self.spark._jsparkSession.sharedState().statusStore()
            runs = store.executionsList()
            for i in range(runs.size()):
                run = runs.apply(i)
                if run.description() != self.tag:
                    continue
                values = store.executionMetrics(run.executionId())
                nodes = store.planGraph(run.executionId()).allNodes()
                for n in range(nodes.size()):
                    self.count(nodes.apply(n), values, rows, seen)
        except Exception as error:
            print("rows of scans are not known:", error, file=sys.stderr)
        return rows

    def count(self, node, values, rows, seen):
        scan = SCAN.search(node.name())
        if not scan:
            return
        scan = scan.group(1)
        metrics = node.metrics()
        for m in range(metrics.size()):
            metric = metrics.apply(m)
            value = values.get(metric.accumulatorId())
            # A result that was kept shows in each place that it is read from.
            if metric.name() == "number of output rows" and value.isDefined() and metric.accumulatorId() not in seen:
                seen.add(metric.accumulatorId())
                rows[scan] = rows.get(scan, 0) + int(value.get().replace(",", ""))


def work(session, order):
    """One order of one job, on a thread of its own."""
    number = order["id"]
    try:
        job = session.jobs.get(number)
        if order["op"] == "describe":
            job = session.jobs[number] = Job(session, number, order["tag"])
            tell("described", id=number, columns=job.describe(order))
        else:
            rows, scanned = job.write(order)
            tell("written", id=number, rows=rows, scanned=scanned)
    except BaseException as error:
        print("job", number, "failed:", error, file=sys.stderr)
        tell("failed", id=number, error=failure(error), cancelled=bool(job and job.cancelled))


def serve(session, thread):
    for line in sys.stdin:
        order = json.loads(line)
        operation = order["op"]
        if operation == "stop":
            return
        if operation in ("describe", "write"):
            thread(target=work, args=(session, order), daemon=True).start()
        elif operation == "cancel" and order["id"] in session.jobs:
            try:
                session.cancel(session.jobs[order["id"]])
            except Exception as error:
                print("cancel:", error, file=sys.stderr)
        elif operation == "close":
            job = session.jobs.pop(order["id"], None)
            if job:
                threading.Thread(target=job.close, daemon=True).start()


def main():
    try:
        import pyspark
    except ImportError as error:
        tell("fatal", error=failure(error))
        return
    tell("hello", version=pyspark.__version__, python="%d.%d" % sys.version_info[:2])
    line = sys.stdin.readline()
    if not line:
        return
    try:
        session = Session(json.loads(line))
        thread = threading.Thread
        if not session.remote:
            from pyspark import InheritableThread as thread

            threading.Thread(target=session.watch, daemon=True).start()
        tell("ready", version=session.spark.version)
    except BaseException as error:
        tell("fatal", error=failure(error))
        return
    try:
        serve(session, thread)
    finally:
        ending = threading.Thread(target=session.spark.stop, daemon=True)
        ending.start()
        ending.join(8)


if __name__ == "__main__":
    main()
    # Threads of jobs, and a virtual machine that does not answer, must not keep a process whose dvt has ended.
    EVENTS.close()
    os._exit(0)
