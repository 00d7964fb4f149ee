{# The `indexes` config, for products that have it. #}
{% macro create_indexes(relation) -%}{{ adapter.dispatch('create_indexes', 'dbt')(relation) }}{%- endmacro %}
{% macro default__create_indexes(relation) -%}
  {%- for wanted in config.get('indexes') or [] -%}
    {%- set text = get_create_index_sql(relation, wanted) -%}
    {%- if text -%}{%- do run_query(text) -%}{%- endif -%}
  {%- endfor -%}
{%- endmacro %}
{% macro get_create_index_sql(relation, index_dict) -%}{{ return(adapter.dispatch('get_create_index_sql', 'dbt')(relation, index_dict)) }}{%- endmacro %}
{% macro default__get_create_index_sql(relation, index_dict) -%}{{ return(none) }}{%- endmacro %}
{% macro get_drop_index_sql(relation, index_name) -%}{{ return(adapter.dispatch('get_drop_index_sql', 'dbt')(relation, index_name)) }}{%- endmacro %}
{% macro default__get_drop_index_sql(relation, index_name) -%}{{ return('drop index if exists ' ~ adapter.quote(index_name)) }}{%- endmacro %}
{% macro get_show_indexes_sql(relation) -%}{{ return(adapter.dispatch('get_show_indexes_sql', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_show_indexes_sql(relation) -%}{{ return(none) }}{%- endmacro %}

{# One name for one index of one table, so that a table that was filled in place keeps it. #}
{% macro dvt_index_name(relation, index_dict) -%}
  {{ return(local_md5([relation.render(), index_dict.get('columns') | string, index_dict.get('unique', False) | string, index_dict.get('type') | string] | join(' '))) }}
{%- endmacro %}
{% macro dvt_create_index(relation, index_dict) -%}
  {%- if not index_dict.get('columns') -%}
    {{ __dvt_fail('DVT1011', 'an entry of `indexes` of `' ~ model.name ~ '` has no `columns`', 'write indexes: [{columns: [a, b], unique: true}]') }}
  {%- endif -%}
create {{ 'unique ' if index_dict.get('unique') }}index if not exists {{ adapter.quote(dvt_index_name(relation, index_dict)) }} on {{ relation }}
  {%- if index_dict.get('type') %} using {{ index_dict['type'] }}{% endif %} ({{ ([index_dict['columns']] if index_dict['columns'] is string else index_dict['columns']) | join(', ') }})
{%- endmacro %}
