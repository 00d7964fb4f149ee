{# A test whose rows are kept: they become a table or a view, which is then counted. #}
{% materialization test, default %}
  {%- set kind = config.get('store_failures_as') or 'table' -%}
  {%- if kind not in ['table', 'view'] -%}
    {{ __dvt_fail('DVT1011', "store_failures_as is '" ~ kind ~ "'", 'use table, view or ephemeral') }}
  {%- endif -%}
  {%- if dvt_staged_relation is not none -%}{%- set kind = 'table' -%}{%- endif -%}
  {%- set target_relation = this.incorporate(type=kind) -%}
  {{ dvt_clean_up(target_relation) }}
  {%- do adapter.begin() -%}
  {%- if kind == 'view' -%}
    {{ drop_relation_if_exists(load_relation(target_relation)) }}
    {%- call statement('main') -%}{{ get_create_view_as_sql(target_relation, sql) }}{%- endcall -%}
  {%- else -%}
    {{ dvt_publish(target_relation, dvt_build_rows(target_relation, sql)) }}
  {%- endif -%}
  {%- do adapter.commit() -%}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
