{# A seed: its rows are staged from the CSV file, then published like any table. #}
{% materialization seed, default %}
  {%- set target_relation = this.incorporate(type='table') -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {%- do adapter.begin() -%}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
  {%- set new_relation = dvt_build_rows(target_relation, sql) -%}
  {{ dvt_publish(target_relation, new_relation) }}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {{ apply_grants(target_relation, config.get('grants')) }}
  {%- do adapter.commit() -%}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
  {{ return({'relations': [target_relation]}) }}
{% endmaterialization %}
