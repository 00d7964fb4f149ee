"""DuckDB's postgres extension over the databases of `make bench-moved`: queries from the input, "ok" or an error for each."""

import glob
import os
import sys

import duckdb
import duckdb_extension_postgres_scanner
from peer import answer

folder = os.path.dirname(duckdb_extension_postgres_scanner.__file__)
extension = glob.glob(f"{folder}/**/*.duckdb_extension", recursive=True)[0]
con = duckdb.connect()
con.execute(f"load '{extension}'")
for name in ("here", "there"):
    con.execute(f"attach 'host=127.0.0.1 port={sys.argv[-1]} user=dvt dbname=postgres' as {name} (type postgres, read_only)")
answer(f"DuckDB {duckdb.__version__} with its postgres extension", lambda sql: con.execute(sql).fetchall())
