{# A table: built beside the old one, then put in its place in one transaction. #}
{% materialization table, default %}{{ return(dvt_build_table()) }}{% endmaterialization %}
{# A seed's rows are staged from its CSV file, then published like any table. #}
{% materialization seed, default %}{{ return(dvt_build_table()) }}{% endmaterialization %}

{% macro dvt_build_table() -%}
  {%- set target_relation = this.incorporate(type='table') -%}
  {{ dvt_open_build() }}
  {%- set existing = load_relation(this) -%}
  {%- set new_relation = dvt_build_rows(target_relation, sql) -%}
  {{ dvt_publish(target_relation, new_relation) }}
  {%- do create_indexes(target_relation) -%}
  {{ dvt_close_build(target_relation, existing) }}
  {{ return({'relations': [target_relation]}) }}
{%- endmacro %}

{# The relation that holds the node's rows: the staged one of a federated node, or one made from its SQL. #}
{% macro dvt_build_rows(target_relation, sql) -%}
  {#- A contract's constraints are in no staged table. -#}
  {%- if dvt_staged_relation is not none and not (dvt_contract_enforced() and model.resource_type == 'model') -%}
    {%- call noop_statement('main', 'STAGED') -%}{%- endcall -%}
    {{ return(dvt_staged_relation) }}
  {%- endif -%}
  {%- set new_relation = make_intermediate_relation(target_relation) -%}
  {{ drop_relation_if_exists(load_relation(new_relation)) }}
  {%- call statement('main') -%}{{ get_create_table_as_sql(False, new_relation, sql) }}{%- endcall -%}
  {{ return(new_relation) }}
{%- endmacro %}
