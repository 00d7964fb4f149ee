{# What MySQL and MariaDB do otherwise when nodes are built. #}
{% macro mysql__snapshot_hash_arguments(args) -%}
md5(concat({% for arg in args -%}coalesce(cast({{ arg }} as char), ''){{ ", '|', " if not loop.last }}{%- endfor %}))
{%- endmacro %}
{% macro mysql__snapshot_merge_sql(target, source, insert_cols) -%}
  {%- set columns = dvt_snapshot_columns() -%}
update {{ target }} as DBT_INTERNAL_TARGET
join {{ source }} as DBT_INTERNAL_SOURCE on DBT_INTERNAL_SOURCE.{{ columns.dbt_scd_id }} = DBT_INTERNAL_TARGET.{{ columns.dbt_scd_id }}
set DBT_INTERNAL_TARGET.{{ columns.dbt_valid_to }} = DBT_INTERNAL_SOURCE.{{ columns.dbt_valid_to }}
where DBT_INTERNAL_SOURCE.dbt_change_type in ('update', 'delete')
  and {{ dvt_snapshot_is_current('DBT_INTERNAL_TARGET.' ~ columns.dbt_valid_to) }};
insert into {{ target }} ({{ insert_cols | join(', ') }})
select {{ insert_cols | join(', ') }} from {{ source }} where dbt_change_type = 'insert'
{%- endmacro %}
{% macro mysql__dvt_constraint_support(type) -%}{{ return('enforced') }}{%- endmacro %}
{# CAST knows fewer types than columns have: a table with no rows has them all. #}
{% macro mysql__dvt_contract_columns(columns) -%}
  {%- set parts = [] -%}
  {%- for name, column in columns.items() -%}
    {%- if not column['data_type'] -%}
      {{ __dvt_fail('DVT1011', 'the contract of `' ~ model.name ~ '` gives no data_type for ' ~ name, 'every column of an enforced contract needs a data_type') }}
    {%- endif -%}
    {%- do parts.append(adapter.quote(name) ~ ' ' ~ column['data_type']) -%}
  {%- endfor -%}
  {%- call statement('contract_types') -%}create temporary table dvt_contract_types ({{ parts | join(', ') }}){%- endcall -%}
  {%- set found = adapter.get_column_schema_from_query('select * from dvt_contract_types') -%}
  {%- call statement('contract_types') -%}drop temporary table dvt_contract_types{%- endcall -%}
  {{ return(found) }}
{%- endmacro %}

{# Grantees are `user` or `user@host`. #}
{% macro mysql__dvt_grantees(grantees, found=True) -%}
  {%- set out = [] -%}
  {%- for name in grantees -%}
    {%- set parts = (name if '@' in name else name ~ '@%').split('@') -%}
    {%- do out.append("'" ~ escape_single_quotes(parts[:-1] | join('@')) ~ "'@'" ~ escape_single_quotes(parts[-1]) ~ "'") -%}
  {%- endfor -%}
  {{ return(out | join(', ')) }}
{%- endmacro %}
{% macro mysql__get_show_grant_sql(relation) -%}
select replace(replace(grantee, '''', ''), '@%', '') as grantee, lower(privilege_type) as privilege_type
from information_schema.table_privileges
where table_schema = '{{ escape_single_quotes(relation.schema) }}' and table_name = '{{ escape_single_quotes(relation.identifier) }}'
{%- endmacro %}

{# A view has no comment here. #}
{% macro mysql__alter_relation_comment(relation, relation_comment) -%}
  {%- if relation.type == 'view' -%}{{ return('select 1') }}{%- endif -%}
alter table {{ relation }} comment = '{{ escape_single_quotes(relation_comment) }}'
{%- endmacro %}
{# A comment is part of a column's definition, which has to be said again: as the server says it, whole. #}
{% macro mysql__alter_column_comment(relation, column_dict) -%}
  {%- if relation.type == 'view' -%}{{ return('') }}{%- endif -%}
  {%- set parts = [] -%}
  {%- for line in run_query('show create table ' ~ relation).rows[0][1].split('\n') -%}
    {%- set definition = (line | trim).rstrip(',') -%}
    {%- for name, column in column_dict.items() if (definition | lower | replace('``', '`')).startswith('`' ~ (name | lower) ~ '` ') -%}
      {#- Strings are passed over whole: only words outside of them count. A check stands after the comment. -#}
      {%- set words = "^((?:[^'`]|'(?:[^'\\\\]|''|\\\\.)*'|`(?:[^`]|``)*`)*?)" -%}
      {%- set bare = modules.re.sub(words ~ " COMMENT '(?:[^'\\\\]|''|\\\\.)*'", "\\1", definition) -%}
      {%- set halves = modules.re.match(words ~ "( CHECK \\(.*)?$", bare) -%}
      {%- do parts.append('modify column ' ~ halves.group(1) ~ " comment '" ~ escape_single_quotes(column['description']) ~ "'" ~ (halves.group(2) or '')) -%}
    {%- endfor -%}
  {%- endfor -%}
  {%- if parts -%}alter table {{ relation }} {{ parts | join(', ') }}{%- endif -%}
{%- endmacro %}
{# A moment without its zone: text with one is no datetime here. #}
{% macro mysql__dvt_event_time_literal(moment) -%}{{ return("'" ~ moment.strftime('%Y-%m-%d %H:%M:%S') ~ "'") }}{%- endmacro %}
{# CAST knows fewer types than columns have. #}
{% macro mysql__dvt_fixture_cast(text, data_type) -%}
  {%- set type = (data_type | lower).split(' ')[0] -%}{%- set base = type.split('(')[0] -%}
  {%- set to = {'decimal': type, 'date': 'date', 'datetime': 'datetime(6)', 'timestamp': 'datetime(6)', 'time': 'time(6)', 'double': 'double', 'float': 'double'}.get(base) -%}
  {%- if base in ['tinyint', 'smallint', 'mediumint', 'int', 'bigint'] -%}{%- set to = 'signed' -%}{%- endif -%}
  {%- if 'char' in base or 'text' in base -%}{%- set to = 'char' -%}{%- endif -%}
  {{ return('cast(' ~ text ~ ' as ' ~ to ~ ')' if to else text) }}
{%- endmacro %}
