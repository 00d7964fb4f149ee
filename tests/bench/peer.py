"""What every peer of `make bench-moved` does: queries from the input, "ok" or an error for each."""

import re
import sys

TABLES = ("region", "nation", "customer", "orders", "lineitem", "part", "partsupp", "supplier")
HERE = TABLES[:4]


def answer(name, ask):
    """Says `name`, then gives each query, its tables placed, to `ask`."""
    print(name, flush=True)
    for line in sys.stdin:
        sql = line.rstrip("\n").split("\t", 1)[1]
        sql = re.sub(r"\{(\w+)\}", lambda m: f"{'here' if m[1] in HERE else 'there'}.src.{m[1]}", sql)
        try:
            ask(sql)
            print("ok", flush=True)
        except Exception as error:  # told in the table
            print(str(error).split("\n")[0][:80], flush=True)
