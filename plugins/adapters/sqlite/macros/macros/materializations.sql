{# What SQLite does otherwise when nodes are built. #}
{# A clock with parts of a second. #}
{% macro sqlite__snapshot_get_time() -%}{{ return("strftime('%Y-%m-%d %H:%M:%f', 'now')") }}{%- endmacro %}
{# There is no hash function: the text itself tells versions apart. #}
{% macro sqlite__snapshot_hash_arguments(args) -%}
hex({% for arg in args -%}coalesce(cast({{ arg }} as text), ''){{ " || '|' || " if not loop.last }}{%- endfor %})
{%- endmacro %}
{% macro sqlite__snapshot_merge_sql(target, source, insert_cols) -%}{{ return(dvt_snapshot_update_insert_sql(target, source, insert_cols)) }}{%- endmacro %}
{# A key lies in its own file, whose name cannot stand there. #}
{% macro sqlite__dvt_key_relation(call) -%}{{ return(render('{{ (' ~ call ~ ').include(database=false, schema=false) }}')) }}{%- endmacro %}
{% macro sqlite__dvt_constraint_support(type) -%}{{ return('enforced') }}{%- endmacro %}
{% macro sqlite__apply_grants(relation, grant_config, should_revoke=True) -%}{{ dvt_no_grants(relation, grant_config) }}{%- endmacro %}
{# There are no comments. #}
{% macro sqlite__persist_docs(relation, model, for_relation, for_columns) -%}{%- endmacro %}
{# An expression has no type here: only the names of a contract can be compared. #}
{% macro sqlite__format_column(column) -%}
  {{ return({'name': column.name, 'data_type': '', 'formatted': column.name | lower}) }}
{%- endmacro %}
{# A moment without its zone: text with one is no datetime here. #}
{% macro sqlite__dvt_event_time_literal(moment) -%}{{ return("'" ~ moment.strftime('%Y-%m-%d %H:%M:%S') ~ "'") }}{%- endmacro %}
{# CAST to a date or a decimal would make a number of it. #}
{% macro sqlite__dvt_fixture_cast(text, data_type) -%}
  {%- set type = data_type | lower -%}
  {%- if text != 'null' and ('int' in type or 'char' in type or 'text' in type or 'real' in type or 'double' in type) -%}
    {{ return('cast(' ~ text ~ ' as ' ~ ('integer' if 'int' in type else 'real' if 'real' in type or 'double' in type else 'text') ~ ')') }}
  {%- endif -%}
  {{ return(text) }}
{%- endmacro %}
