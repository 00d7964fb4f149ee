{# A view: replaced in one transaction. #}
{% materialization view, default %}
  {%- set target_relation = this.incorporate(type='view') -%}
  {{ dvt_open_build() }}
  {%- set existing = load_relation(target_relation) -%}
  {{ drop_relation_if_exists(existing) }}
  {%- call statement('main') -%}{{ get_create_view_as_sql(target_relation, sql) }}{%- endcall -%}
  {{ dvt_close_build(target_relation, existing) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
