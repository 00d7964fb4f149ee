{# A materialization of the project's own. #}
{% materialization noted, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {%- set existing = load_relation(this) -%}
  {{ run_hooks(pre_hooks) }}
  {%- if existing is not none -%}{{ adapter.drop_relation(existing) }}{%- endif -%}
  {% call statement('main') %}
    create table {{ target_relation }} as
    select *, '{{ config.require('note') }}' as note, '{{ config.get('other', 'usual') }}' as other from ({{ sql }}) q
  {% endcall %}
  {{ run_hooks(post_hooks) }}
  {% do adapter.commit() %}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
