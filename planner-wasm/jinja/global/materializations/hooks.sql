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
