"""Writes expected.json and state/ by asking dbt-core. Needs dbt-core 1.12.6 and the adapter of profiles.yml."""

import contextlib
import io
import itertools
import json
import os
import pathlib
import shutil
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
os.environ.update(DBT_SEND_ANONYMOUS_USAGE_STATS="false", DBT_USE_COLORS="false")
KEPT = ["dbt_project.yml", "packages.yml", "selectors.yml", "profiles.yml", "models", "seeds", "snapshots", "tests", "analyses", "macros", "packages"]

SPECS = """
orders stg_orders customers customers.v1 customers.v2 customers_v1 customers_v3 shop.marts.core.customers.v2 shop shop.staging shop.staging.crm
staging staging.crm marts marts.core marts.core.customers helper helper.calendar calendar cust* *orders* st?_orders [so]tg_orders shop.* shop.marts.*
*.v1 customers.* shop.*.stg* nothing * blank int_orders int_orders+ +int_orders metricflow_time_spine revenue_is_there positive_orders_id known_status
+orders orders+ +orders+ 1+orders orders+1 2+orders+1 1+orders+2 @orders @stg_events @int_orders @stg_customers stg_orders+2 3+revenue 0+orders orders+0
+revenue revenue+ +legacy @legacy customers+ +customers customers.v1+ +customers.v2 1+customers.v2+1 source:crm+ source:crm+1 +exposure:*
tag:nightly tag:staging tag:hourly tag:marts tag:raw tag:external tag:big tag:unit tag:exec tag:kpi tag:dates tag:snap tag:loose tag:singular_tag tag:n* tag:none +tag:hourly tag:raw+
@tag:hourly tag:[mr]a*
group:finance group:fin* group:none +group:finance
access:public access:private access:protected access:none
source:crm source:web source:crm.customers source:crm.* source:*.orders source:shop.crm.orders source:* source:shop.*.* source:c*+ source:none source:crm.orders+1
path:models path:models/staging path:models/staging/crm path:models/staging/* path:models/staging/*/* path:models/**/stg_*.sql path:models/marts/core/orders.sql path:seeds
path:snapshots path:tests path:tests/generic path:models/staging/schema.yml path:models/marts/core/schema.yml path:models/semantic models/staging models/staging/ ./models/staging models/marts/legacy.sql
path:nothing path:seeds/codes.csv path:packages path:models/mart path:analyses models/marts+ +models/marts
file:orders.sql file:orders orders.sql file:schema.yml file:*.csv codes.csv file:stg_*.sql file:sem file:sources.yml file:snap.yml revenue.sql+ 1+revenue.sql file:customers_v1.sql
package:shop package:helper package:this package:h* package:none +package:helper
config.materialized:incremental config.materialized:view config.materialized:table config.materialized:ephemeral config.materialized:seed config.materialized:snapshot config.materialized:test
config.severity:warn config.severity:WARN config.severity:error config.severity:ERROR config.enabled:true config.enabled:True config.enabled:false config.meta.owner:core config.meta.owner:finance config.meta.tier:1
config.tags:nightly config.tags:hourly config.unique_key:id config.group:finance config.contract.enforced:false config.contract.enforced:true config.nothing:x config.materialized:incr* config.strategy:check
config.schema:snaps config.target_schema:snaps config.check_cols:all
test_name:unique test_name:not_null test_name:relationships test_name:accepted_values test_name:positive test_name:un* test_name:orders_have_cents test_name:nothing
test_type:generic test_type:singular test_type:data test_type:unit test_type:schema
resource_type:model resource_type:seed resource_type:snapshot resource_type:test resource_type:unit_test resource_type:source resource_type:exposure resource_type:metric
resource_type:semantic_model resource_type:saved_query resource_type:analysis resource_type:macro +resource_type:exposure resource_type:source+ resource_type:function
exposure:weekly_report exposure:notebook exposure:* exposure:shop.notebook exposure:none +exposure:weekly_report 1+exposure:notebook
metric:revenue_metric metric:* metric:shop.revenue_twice +metric:revenue_twice 1+metric:revenue_twice metric:revenue_metric+
semantic_model:sem_orders +semantic_model:* semantic_model:* saved_query:weekly_revenue +saved_query:* saved_query:shop.weekly_revenue
unit_test:orders_have_cents unit_test:* unit_test:shop.stg* +unit_test:orders_have_cents
version:latest version:old version:prerelease version:none +version:latest
selector:nightly selector:nightly_without_orders selector:finance_only selector:inherits selector:careful selector:plain selector:at selector:bykey selector:diff selector:n* selector:*
state:new state:old state:modified state:unmodified state:modified.body state:modified.configs state:modified.persisted_descriptions state:modified.relation state:modified.macros state:modified.contract
state:modified+ +state:modified 1+state:modified+1 @state:modified state:modified,resource_type:model state:new+
result:success result:error result:fail result:skipped result:pass result:warn result:error+ 1+result:fail
source_status:fresher source_status:fresher+
tag:nightly,config.materialized:view tag:staging,source:crm+ orders+,tag:marts +orders,resource_type:source path:models/staging,tag:hourly resource_type:test,tag:nightly tag:marts,group:finance,orders
""".split()

LINES = [["-s", spec] for spec in SPECS]
LINES += [
    [],
    ["-s", "orders", "stg_orders"],
    ["-s", "tag:nightly", "tag:marts", "--exclude", "orders+"],
    ["--exclude", "tag:nightly"],
    ["--exclude", "resource_type:test", "resource_type:unit_test"],
    ["-s", "+orders", "--exclude", "stg_orders", "source:*"],
    ["-s", "orders+", "--exclude", "exposure:*"],
    ["-s", "orders stg_customers+1"],
    ["-s", "shop", "--exclude", "test_type:data"],
    ["-s", "@orders", "--exclude", "@stg_events"],
    ["-s", "tag:nightly,stg_orders tag:marts,orders"],
    ["--resource-type", "model"],
    ["--resource-type", "test", "unit_test"],
    ["--resource-type", "all"],
    ["--resource-type", "analysis"],
    ["--resource-type", "default", "--exclude-resource-type", "test"],
    ["--exclude-resource-type", "test", "unit_test", "source"],
    ["--models", "orders+"],
    ["-s", "+orders", "--resource-type", "source", "seed"],
    ["--resource-type", "model", "snapshot", "-s", "stg_customers+"],
]
for name in ["nightly", "nightly_without_orders", "finance_only", "inherits", "careful", "plain", "at", "bykey", "diff"]:
    LINES.append(["--selector", name])
INDIRECT = ["orders", "stg_customers", "stg_orders", "stg_customers stg_orders", "+orders", "orders stg_customers", "tag:nightly", "tag:marts", "path:models/staging", "revenue",
            "+revenue", "customers.v1", "source:crm", "source:crm.customers", "stg_orders+", "test_type:data", "config.materialized:view", "stg_customers,tag:nightly", "int_orders"]
for mode, spec in itertools.product(["eager", "cautious", "buildable", "empty"], INDIRECT):
    LINES.append(["-s", spec, "--indirect-selection", mode])
for mode in ["cautious", "buildable", "empty"]:
    LINES.append(["-s", "shop", "--exclude", "stg_customers", "--indirect-selection", mode])
    LINES.append(["--selector", "nightly", "--indirect-selection", mode])
    LINES.append(["-s", "orders", "--exclude", "test_name:unique", "--indirect-selection", mode])


def copy(folder: pathlib.Path) -> None:
    for name in KEPT:
        source = HERE / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, folder / name)


def invoke(folder, words, manifest=None):
    from dbt.cli.main import dbtRunner

    with contextlib.redirect_stdout(io.StringIO()):
        return dbtRunner(manifest=manifest).invoke(["-q", *words, "--project-dir", str(folder), "--profiles-dir", str(folder)])


def main() -> None:
    with tempfile.TemporaryDirectory() as text:
        base = pathlib.Path(text)
        before, now, state = base / "before", base / "now", HERE / "state"
        for folder in (before, now):
            folder.mkdir()
            copy(folder)
        for name, (new, old) in json.loads((HERE / "edits.json").read_text()).items():
            path = before / name
            assert new in path.read_text(), name
            path.write_text(path.read_text().replace(new, old))
        (before / "models/marts/blank.sql").unlink()
        (before / "models/was.sql").write_text("select 1 as id")
        os.chdir(before)
        for words in (["deps"], ["parse"]):
            result = invoke(before, words)
            assert result.success, result.exception
        manifest = json.loads((before / "target/manifest.json").read_text())
        manifest["macros"] = {k: v for k, v in manifest["macros"].items() if v["package_name"] in ("shop", "helper")}
        state.mkdir(exist_ok=True)
        (state / "manifest.json").write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")
        shutil.copytree(state, base / "state")
        shutil.copy(before / "target/manifest.json", base / "state/manifest.json")
        os.chdir(now)
        for words in (["deps"], ["parse"]):
            result = invoke(now, words)
            assert result.success, result.exception
            manifest = result.result
        (now / "target/sources.json").write_text((HERE / "sources_now.json").read_text())
        expected = []
        for line in LINES:
            needs_state = any(s in " ".join(line) for s in ("state:", "result:", "source_status:"))
            words = ["ls", *line, "--output", "json", "--output-keys", "unique_id", *(["--state", str(base / "state")] if needs_state else [])]
            result = invoke(now, words, manifest)
            if result.exception is not None:
                expected.append({"line": line, "error": str(result.exception)})
                continue
            ids = sorted(json.loads(r)["unique_id"] for r in (result.result or []))
            expected.append({"line": line, "ids": ids})
            print(line, len(ids), file=sys.stderr)
        text = ",\n".join(json.dumps(e) for e in expected)
        (HERE / "expected.json").write_text(f"[\n{text}\n]\n")


main()
