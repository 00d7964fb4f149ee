//! PostgreSQL and MariaDB in one project (SPEC T8, T11): tests over both, and templates of a model on one server that
//! ask about relations on the other.
#![allow(clippy::unwrap_used, missing_docs)]

mod cli;
#[path = "../../host/engine/tests/servers/mod.rs"]
mod servers;

use cli::World;
use serde_json::Value;
use servers::PostgresServer;
use servers::mariadb::MariadbServer;

struct Place {
    world: World,
    postgres: PostgresServer,
    mariadb: MariadbServer,
}

/// Outputs `pg`, the default, and `my`; `orders` is on PostgreSQL, `customers` on MariaDB, whose text compares by bytes.
fn place(files: &[(&str, &str)]) -> Place {
    let place = Place { world: World::new(), postgres: PostgresServer::start(), mariadb: MariadbServer::start_with(&["--collation-server=utf8mb4_nopad_bin"]) };
    place.world.write(
        "home/profiles.yml",
        &format!(
            "p:\n  target: pg\n  outputs:\n    pg: {{type: postgres, host: 127.0.0.1, port: {}, user: dvt, password: unused, dbname: postgres, schema: shop, threads: 2}}\n    my: {{type: mysql, server: 127.0.0.1, port: {}, username: dvt, schema: shop, threads: 2}}\n",
            place.postgres.port, place.mariadb.port
        ),
    );
    place.world.write("p/dbt_project.yml", "name: p\nprofile: p\nversion: '1.0'\nseeds: {p: {customers: {+target: my}}}\n");
    place.world.write("p/seeds/customers.csv", "id,name,kind,secret,rate\n1,Ada,gold,1,1.50\n2,Grace,plain,2,2.25\n3,Lin,plain,3,3.00\n");
    place.world.write("p/seeds/orders.csv", "id,customer_id,kind\n1,1,gold\n2,2,plain\n3,9,GOLD\n4,,\n");
    place.world.write(
        "p/seeds/s.yml",
        "seeds:\n  - {name: customers, config: {column_types: {name: varchar(20), kind: varchar(20), rate: 'decimal(9,2)'}}}\n  - {name: orders, config: {column_types: {kind: varchar(20)}}}\n",
    );
    for (name, text) in files {
        place.world.write(&format!("p/{name}"), text);
    }
    place
}

impl Place {
    fn postgres(&self, sql: &str) -> Vec<String> {
        self.postgres.lines(sql)
    }
    fn mariadb(&self, sql: &str) -> Vec<String> {
        self.mariadb.lines(sql)
    }
    fn statuses(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.world.path("p/target/run_results.json")).unwrap();
        let json: Value = serde_json::from_str(&text).unwrap();
        let name = |id: &str| id.split('.').nth(2).unwrap().to_owned();
        let mut all: Vec<String> = json["results"].as_array().unwrap().iter().map(|r| format!("{} {} {}", name(r["unique_id"].as_str().unwrap()), r["status"].as_str().unwrap(), r["failures"])).collect();
        all.sort();
        all
    }
}

const RELATED: &str = "models:
  - name: placed
    columns:
      - name: customer_id
        data_tests:
          - relationships: {name: here, arguments: {to: ref('customers'), field: id}}
          - relationships: {name: here_kept, arguments: {to: ref('customers'), field: id}, config: {store_failures: true}}
      - name: kind
        data_tests:
          - relationships: {name: here_text, arguments: {to: ref('customers'), field: kind}, config: {where: \"id <> 3\"}}
  - name: known
    columns:
      - name: id
        data_tests:
          - relationships: {name: there, arguments: {to: ref('placed'), field: customer_id}, config: {severity: warn}}
          - relationships: {name: there_kept, arguments: {to: ref('placed'), field: customer_id}, config: {store_failures: true}}
";

#[test]
fn relationships_between_postgresql_and_mariadb_pass_fail_and_keep_their_rows_on_their_own_target() {
    let place = place(&[
        ("models/placed.sql", "{{ config(materialized='table') }} select * from {{ ref('orders') }}"),
        ("models/known.sql", "{{ config(materialized='table', target='my') }} select * from {{ ref('customers') }}"),
        ("models/s.yml", RELATED),
        ("tests/every_order_has_a_customer.sql", "select o.id from {{ ref('placed') }} o left join {{ ref('known') }} c on c.id = o.customer_id where c.id is null and o.customer_id is not null"),
    ]);
    let said = place.world.dvt("p", &["build"]).fails(1, &["FAIL 1 here", "FAIL 1 here_kept", "WARN 1 there", "FAIL 1 there_kept", "PASS here_text"]);
    assert_eq!(said.out.matches("START test").count(), said.out.lines().filter(|l| l.contains("START test") && l.contains("[federation]")).count(), "{}", said.out);
    assert_eq!(
        place.statuses(),
        ["customers success null", "every_order_has_a_customer fail 1", "here fail 1", "here_kept fail 1", "here_text pass 0", "known success null", "orders success null", "placed success null", "there warn 1", "there_kept fail 1"]
    );
    // Customer 9 of order 3 is unknown; customer 3 has no order.
    assert_eq!(place.postgres("select * from shop_dbt_test__audit.here_kept"), ["9"]);
    assert_eq!(place.mariadb("select * from shop_dbt_test__audit.there_kept"), ["3"]);

    place.world.write("p/seeds/orders.csv", "id,customer_id,kind\n1,1,gold\n2,2,plain\n3,3,GOLD\n4,,\n");
    place.world.dvt("p", &["build"]).ok();
    assert!(place.statuses().iter().all(|s| s.ends_with("success null") || s.ends_with("pass 0")), "{:?}", place.statuses());
    assert!(place.postgres("select * from shop_dbt_test__audit.here_kept").is_empty());
    assert!(place.mariadb("select * from shop_dbt_test__audit.there_kept").is_empty());
}

/// What packages do with relations: a star without some columns, a column's values, a union by the columns of both.
const PACKAGE_LIKE: &str = "{% macro star(from, except=[], prefix='') %}
  {%- if not execute -%}{{ return('*') }}{%- endif -%}
  {%- set out = [] -%}
  {%- for column in adapter.get_columns_in_relation(from) if column.column not in except -%}
    {%- do out.append(adapter.quote(column.column) ~ (' as ' ~ adapter.quote(prefix ~ column.column) if prefix else '')) -%}
  {%- endfor -%}
  {{ return(out | join(', ')) }}
{% endmacro %}
{% macro get_column_values(table, column) %}
  {%- if not execute -%}{{ return([]) }}{%- endif -%}
  {%- if load_relation(table) is none -%}{{ exceptions.raise_compiler_error('no ' ~ table) }}{%- endif -%}
  {%- call statement('values', fetch_result=true) -%}
    select {{ column }} as value from {{ table }} where {{ column }} is not null group by {{ column }} order by count(*) desc, {{ column }}
  {%- endcall -%}
  {{ return(load_result('values')['data'] | map(attribute=0) | list) }}
{% endmacro %}
{% macro union_of(relations, names) %}
  {%- set ns = namespace(types={}) -%}
  {%- if execute -%}
    {%- for relation in relations -%}
      {%- for column in adapter.get_columns_in_relation(relation) if column.name in names -%}{%- do ns.types.update({column.name: column}) -%}{%- endfor -%}
    {%- endfor -%}
  {%- endif -%}
  {%- for relation in relations %}
    select {% for name in names %}{% if execute %}cast({{ ns.types[name].quoted }} as {{ ns.types[name].data_type }}) as {{ ns.types[name].quoted }}{% else %}1 as {{ name }}{% endif %}{{ ', ' if not loop.last }}{% endfor %} from {{ relation }}
    {{ 'union all' if not loop.last }}
  {% endfor -%}
{% endmacro %}
";

#[test]
fn a_models_templates_ask_about_relations_on_the_other_server() {
    let asks = |relation: &str, column: &str, target: &str| {
        format!(
            "{{{{ config(materialized='table', target='{target}') }}}}
select {{{{ star(ref('{relation}'), except=['secret'], prefix='x_') }}}}
{{% for value in get_column_values(ref('{relation}'), '{column}') %}}, case when {column} = '{{{{ value }}}}' then 1 else 0 end as is_{{{{ value | lower }}}}_{{{{ loop.index }}}}{{% endfor %}}
, {{{{ run_query('select max(id) as m from ' ~ ref('{relation}')).columns['m'].values()[0] if execute else 0 }}}} as newest
from {{{{ ref('{relation}') }}}}"
        )
    };
    let place = place(&[
        ("macros/package_like.sql", PACKAGE_LIKE),
        ("models/on_pg.sql", &asks("customers", "kind", "pg")),
        ("models/on_my.sql", &asks("orders", "kind", "my")),
        ("models/both_pg.sql", "{{ config(materialized='table') }} {{ union_of([ref('orders'), ref('customers')], ['id', 'kind']) }}"),
        ("models/counted.sql", "{{ config(materialized='table') }} select {{ run_query('select count(*) as n from ' ~ ref('orders') ~ ' o join ' ~ ref('customers') ~ ' c on c.id = o.customer_id').rows[0]['n'] if execute else 0 }} as n, '{{ adapter.get_columns_in_relation(ref('customers')) | map(attribute='data_type') | join(', ') }}' as types"),
    ]);
    place.world.dvt("p", &["build"]).ok();
    // `plain` comes first: it has two rows. The secret column is not there.
    assert_eq!(place.postgres("select * from shop.on_pg order by 1"), ["1 | Ada | gold | 1.50 | 0 | 1 | 3", "2 | Grace | plain | 2.25 | 1 | 0 | 3", "3 | Lin | plain | 3.00 | 1 | 0 | 3"]);
    assert_eq!(
        place.postgres("select string_agg(column_name, ' ' order by ordinal_position) from information_schema.columns where table_name = 'on_pg'"),
        ["x_id x_name x_kind x_rate is_plain_1 is_gold_2 newest"]
    );
    assert_eq!(place.mariadb("select * from shop.on_my order by 1"), ["1 | 1 | gold | 0 | 1 | 0 | 4", "2 | 2 | plain | 0 | 0 | 1 | 4", "3 | 9 | GOLD | 1 | 0 | 0 | 4", "4 | NULL | NULL | 0 | 0 | 0 | 4"]);
    assert_eq!(place.postgres("select kind, count(*) from shop.both_pg group by kind order by kind"), ["GOLD | 1", "gold | 2", "plain | 3", "NULL | 1"]);
    // Other servers' types are told in the words of the model's.
    assert_eq!(place.postgres("select * from shop.counted"), ["2 | integer, text, text, integer, numeric(9,2)"]);
}

/// A sum has no digits of its own in PostgreSQL's description, beside columns whose types are told by other names than in its catalog.
#[test]
fn a_whole_query_of_one_server_lands_on_the_other_with_numbers_of_any_kind() {
    let whole = "select sum(id + 0.25) as s, count(*) as n, max(id) as id, max(kind) as kind, bool_and(id > 0) as b, max(id::smallint) as i, max(id::float8) as f, max(id::real) as r, max('2024-01-01'::date + id) as d from {{ ref('orders') }}";
    let place = place(&[("models/moved.sql", &format!("{{{{ config(materialized='table', target='my', dialect='postgres') }}}} {whole}"))]);
    place.world.dvt("p", &["build"]).ok();
    assert_eq!(place.mariadb("select * from shop.moved"), ["11.000000000000000000 | 4 | 4 | plain | 1 | 4 | 4 | 4 | 2024-01-05"]);
    let types = "select group_concat(column_type order by ordinal_position separator ' ') from information_schema.columns where table_name = 'moved'";
    assert_eq!(place.mariadb(types), ["decimal(38,18) bigint(20) int(11) longtext tinyint(1) smallint(6) double float date"]);
}
