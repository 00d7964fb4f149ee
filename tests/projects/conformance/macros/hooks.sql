{% macro started() %}
  {%- if execute -%}{{ check('flags in a hook', flags.WHICH in ['build', 'run', 'seed', 'test'], true) }}{%- endif -%}
{% endmacro %}
{% macro ended(schemas, database_schemas, results) %}
  {%- if execute -%}
    {{ check('schemas', target.schema in schemas, true) }}
    {{ check('database_schemas', database_schemas | map('last') | list | sort, schemas | sort) }}
    {%- set failed = [] -%}
    {%- for result in results -%}
      {%- if result.status in ['error', 'fail'] -%}{%- do failed.append(result.node.unique_id) -%}{%- endif -%}
    {%- endfor -%}
    {{ check('results', failed, []) }}
  {%- endif -%}
{% endmacro %}
{# run-operation: two arguments, what it does is committed. #}
{% macro make_table(name, rows) %}
  {% do run_query('create table ' ~ api.Relation.create(database=target.database, schema=target.schema, identifier=name) ~ ' as select ' ~ rows ~ ' as n') %}
  {% do adapter.commit() %}
{% endmacro %}
