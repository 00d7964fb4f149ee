{# A materialized view: made once, then refreshed; rebuilt by --full-refresh or in place of something else. #}
{% materialization materialized_view, default %}
  {%- set target_relation = this.incorporate(type='materialized_view') -%}
  {%- if dvt_staged_relation is not none -%}
    {{ __dvt_fail('DVT4008', 'the materialized view `' ~ model.name ~ '` reads several targets', 'a database refreshes a materialized view by itself, so it can read its own tables only; use table or incremental') }}
  {%- endif -%}
  {{ dvt_open_build() }}
  {%- set existing = load_relation(this) -%}
  {%- if existing is none or not existing.is_materialized_view or should_full_refresh() -%}
    {{ drop_relation_if_exists(existing) }}
    {%- call statement('main') -%}{{ get_create_materialized_view_as_sql(target_relation, sql) }}{%- endcall -%}
    {%- do create_indexes(target_relation) -%}
  {%- else -%}
    {%- set changes = get_materialized_view_configuration_changes(existing, config) -%}
    {%- set reaction = config.get('on_configuration_change') or 'apply' -%}
    {%- if changes and reaction == 'fail' -%}
      {{ __dvt_fail('DVT1011', 'the configuration of the materialized view ' ~ this ~ ' changed', 'run with --full-refresh, or set on_configuration_change: apply') }}
    {%- elif changes and reaction == 'continue' -%}
      {%- do exceptions.warn('the configuration of the materialized view ' ~ this.render() ~ ' changed; on_configuration_change is continue, so it stays as it was') -%}
      {%- call noop_statement('main', 'skip ' ~ this.render()) -%}{%- endcall -%}
    {%- else -%}
      {%- call statement('main') -%}{{ refresh_materialized_view(target_relation) }}{%- endcall -%}
      {%- if changes -%}
        {%- for text in changes -%}{%- call statement('configure') -%}{{ text }}{%- endcall -%}{%- endfor -%}
        {%- do create_indexes(target_relation) -%}
      {%- endif -%}
    {%- endif -%}
  {%- endif -%}
  {{ dvt_close_build(target_relation, existing) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}

{% macro get_create_materialized_view_as_sql(relation, sql) -%}{{ return(adapter.dispatch('get_create_materialized_view_as_sql', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__get_create_materialized_view_as_sql(relation, sql) -%}
  {{ __dvt_fail('DVT4008', 'the ' ~ adapter.type() ~ ' adapter has no materialized views', 'use table or view') }}
{%- endmacro %}
{% macro refresh_materialized_view(relation) -%}{{ return(adapter.dispatch('refresh_materialized_view', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__refresh_materialized_view(relation) -%}refresh materialized view {{ relation }}{%- endmacro %}
{# Statements that take away what the config no longer has; none when nothing changed. #}
{% macro get_materialized_view_configuration_changes(existing_relation, new_config) -%}{{ return(adapter.dispatch('get_materialized_view_configuration_changes', 'dbt')(existing_relation, new_config)) }}{%- endmacro %}
{% macro default__get_materialized_view_configuration_changes(existing_relation, new_config) -%}{{ return(none) }}{%- endmacro %}
