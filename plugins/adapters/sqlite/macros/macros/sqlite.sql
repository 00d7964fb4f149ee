{# What SQLite writes otherwise. #}
{% macro sqlite__create_table_as(temporary, relation, sql) -%}
{{ statement_sql_header() }}
  {%- if dvt_contract_enforced() and not temporary -%}
{{ dvt_create_from_contract('create table ' ~ relation, relation, sql) }}
  {%- else %}
create {% if temporary %}temporary {% endif %}table {{ relation.include(schema=(not temporary)) }} as
{{ sql }}
  {%- endif -%}
{%- endmacro %}
{% macro sqlite__create_view_as(relation, sql) -%}
{{ statement_sql_header() }}
  {%- if dvt_contract_enforced() -%}{{ get_assert_columns_equivalent(sql) }}{%- endif %}
create view {{ relation }} as
{{ sql }}
{%- endmacro %}
{# A schema is an attached file: it is there, or the profile does not name it. #}
{% macro sqlite__create_schema(relation) -%}{%- endmacro %}
{% macro sqlite__drop_schema(relation) -%}{%- endmacro %}
{% macro sqlite__check_schema_exists(information_schema, schema) -%}
  {{ return(run_query("select count(*) from pragma_database_list where name = '" ~ schema ~ "'")) }}
{%- endmacro %}
{% macro sqlite__list_schemas(database) -%}{{ return(run_query('select name from pragma_database_list')) }}{%- endmacro %}

{# No MERGE statement: what matches is updated, what does not is inserted, in the publishing transaction. #}
{% macro sqlite__get_merge_sql(target, source, unique_key, dest_columns, incremental_predicates=none) -%}
  {%- set columns = get_quoted_csv(dest_columns | map(attribute='name')) -%}
  {%- set updated = get_merge_update_columns(config.get('merge_update_columns'), config.get('merge_exclude_columns'), dest_columns) -%}
  {%- set keys = ([unique_key] if unique_key is string else unique_key) or [] -%}
  {%- set same = [] -%}
  {%- for key in keys -%}{%- do same.append('DBT_INTERNAL_SOURCE.' ~ key ~ ' = DBT_INTERNAL_DEST.' ~ key) -%}{%- endfor -%}
  {%- set same = (same + (incremental_predicates or [])) | join(' and ') -%}
  {%- if keys -%}
    {{ dvt_refuse_repeated_keys(target, source, keys) }}
update {{ target }} as DBT_INTERNAL_DEST set
    {% for column in updated -%}{{ column }} = DBT_INTERNAL_SOURCE.{{ column }}{{ ', ' if not loop.last }}{%- endfor %}
from {{ source }} as DBT_INTERNAL_SOURCE
where {{ same }};
insert into {{ target }} ({{ columns }})
select {{ columns }} from {{ source }} as DBT_INTERNAL_SOURCE
where not exists (select 1 from {{ target }} as DBT_INTERNAL_DEST where {{ same }})
  {%- else -%}
{{ get_insert_into_sql(target, source, dest_columns) }}
  {%- endif -%}
{%- endmacro %}
