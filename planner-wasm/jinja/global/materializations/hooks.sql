{% macro run_hooks(hooks, inside_transaction=True) -%}
  {%- for hook in hooks | selectattr('transaction', 'equalto', inside_transaction) -%}
    {%- if not inside_transaction and loop.first -%}{%- do adapter.commit() -%}{%- endif -%}
    {%- set text = render(hook.get('sql')) | trim -%}
    {%- if text | length > 0 -%}
      {%- call statement(auto_begin=inside_transaction) -%}{{ text }}{%- endcall -%}
    {%- endif -%}
  {%- endfor -%}
{%- endmacro %}
{% macro before_begin(sql) -%}{{ return({'sql': sql, 'transaction': False}) }}{%- endmacro %}
{% macro in_transaction(sql) -%}{{ return({'sql': sql, 'transaction': True}) }}{%- endmacro %}
{% macro after_commit(sql) -%}{{ return({'sql': sql, 'transaction': False}) }}{%- endmacro %}
{% macro make_hook_config(sql, inside_transaction) -%}{{ return({'sql': sql, 'transaction': inside_transaction}) }}{%- endmacro %}

{# What every materialization does before its first statement and after its last. The hooks are those of the
   materialization that calls. #}
{% macro dvt_open_build() -%}
  {{ run_hooks(pre_hooks, inside_transaction=False) }}
  {%- do adapter.begin() -%}
  {{ run_hooks(pre_hooks, inside_transaction=True) }}
{%- endmacro %}
{% macro dvt_commit_build(target_relation, existing) -%}
  {{ run_hooks(post_hooks, inside_transaction=True) }}
  {%- do apply_grants(target_relation, config.get('grants'), should_revoke=should_revoke(existing)) -%}
  {%- do persist_docs(target_relation, model) -%}
  {%- do adapter.commit() -%}
{%- endmacro %}
{% macro dvt_close_build(target_relation, existing) -%}
  {{ dvt_commit_build(target_relation, existing) }}
  {{ run_hooks(post_hooks, inside_transaction=False) }}
{%- endmacro %}
