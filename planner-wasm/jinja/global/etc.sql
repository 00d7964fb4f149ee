{# Statements and queries, run-time questions. #}
{% macro statement(name=None, fetch_result=False, auto_begin=True, language='sql') -%}
  {%- if execute -%}
    {%- set text = caller() -%}
    {%- set response, table = adapter.execute(text, auto_begin=auto_begin, fetch=fetch_result) -%}
    {%- if name is not none -%}{{ store_result(name, response=response, agate_table=table) }}{%- endif -%}
  {%- endif -%}
{%- endmacro %}

{% macro noop_statement(name=None, message=None, code=None, rows_affected=None, res=None) -%}
  {%- set text = caller() -%}
  {%- if name is not none -%}{{ store_raw_result(name, message=message, code=code, rows_affected=rows_affected, agate_table=res) }}{%- endif -%}
{%- endmacro %}

{% macro run_query(sql) -%}
  {%- call statement('run_query_statement', fetch_result=true, auto_begin=false) -%}{{ sql }}{%- endcall -%}
  {{ return(load_result('run_query_statement').table if execute else none) }}
{%- endmacro %}

{% macro should_full_refresh() -%}
  {#- The first batch made the table; the others add to it. -#}
  {%- if dvt_batch is not none and dvt_batch.incremental -%}{{ return(False) }}{%- endif -%}
  {%- set configured = config.get('full_refresh') -%}
  {{ return(flags.FULL_REFRESH if configured is none else configured) }}
{%- endmacro %}

{% macro should_store_failures() -%}
  {%- set kept_as = config.get('store_failures_as') -%}
  {%- if kept_as is not none -%}{{ return(kept_as != 'ephemeral') }}{%- endif -%}
  {%- set configured = config.get('store_failures') -%}
  {{ return(flags.STORE_FAILURES if configured is none else configured) }}
{%- endmacro %}

{% macro is_incremental() -%}
  {%- if not execute -%}{{ return(False) }}{%- endif -%}
  {%- set there = load_relation(this) -%}
  {{ return(__dvt_incremental(there is not none and there.type == 'table' and model.config.materialized == 'incremental' and not should_full_refresh())) }}
{%- endmacro %}

{% macro statement_sql_header() -%}{{ config.get('sql_header', '') or '' }}{%- endmacro %}
