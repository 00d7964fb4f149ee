{# Who may do what with a relation: the config's grants are made, others of ours are taken back. #}
{% macro copy_grants() -%}{{ return(adapter.dispatch('copy_grants', 'dbt')()) }}{%- endmacro %}
{% macro default__copy_grants() -%}{{ return(True) }}{%- endmacro %}
{% macro support_multiple_grantees_per_dcl_statement() -%}{{ return(adapter.dispatch('support_multiple_grantees_per_dcl_statement', 'dbt')()) }}{%- endmacro %}
{% macro default__support_multiple_grantees_per_dcl_statement() -%}{{ return(True) }}{%- endmacro %}
{# Whether grants of before may still stand: always when the relation was there, since it may have been filled in place. #}
{% macro should_revoke(existing_relation, full_refresh_mode=True) -%}{{ return(existing_relation is not none) }}{%- endmacro %}

{% macro get_show_grant_sql(relation) -%}{{ return(adapter.dispatch('get_show_grant_sql', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_show_grant_sql(relation) -%}show grants on {{ relation }}{%- endmacro %}
{% macro get_grant_sql(relation, privilege, grantees) -%}{{ return(adapter.dispatch('get_grant_sql', 'dbt')(relation, privilege, grantees)) }}{%- endmacro %}
{% macro default__get_grant_sql(relation, privilege, grantees) -%}
grant {{ privilege }} on {{ relation }} to {{ dvt_grantees(grantees, found=False) }}
{%- endmacro %}
{% macro get_revoke_sql(relation, privilege, grantees) -%}{{ return(adapter.dispatch('get_revoke_sql', 'dbt')(relation, privilege, grantees)) }}{%- endmacro %}
{% macro default__get_revoke_sql(relation, privilege, grantees) -%}
revoke {{ privilege }} on {{ relation }} from {{ dvt_grantees(grantees) }}
{%- endmacro %}
{# Names of the config are written as they stand there, so that the product folds them; those that it told itself are quoted. #}
{% macro dvt_grantees(grantees, found=True) -%}{{ return(adapter.dispatch('dvt_grantees', 'dbt')(grantees, found)) }}{%- endmacro %}
{% macro default__dvt_grantees(grantees, found=True) -%}
  {%- set out = [] -%}
  {%- for name in grantees -%}{%- do out.append(adapter.quote(name) if found else name) -%}{%- endfor -%}
  {{ return(out | join(', ')) }}
{%- endmacro %}

{# Rows of grantee and privilege as `{privilege: [grantees]}`. #}
{% macro adapter_standardize_grants_dict(grants_table) -%}
  {%- set out = {} -%}
  {%- for row in grants_table -%}
    {%- set privilege = row['privilege_type'] | lower -%}
    {%- if privilege not in out -%}{%- do out.update({privilege: []}) -%}{%- endif -%}
    {%- do out[privilege].append(row['grantee']) -%}
  {%- endfor -%}
  {{ return(out) }}
{%- endmacro %}
{% macro get_dcl_statement_list(relation, grant_config, get_dcl_macro) -%}{{ return(adapter.dispatch('get_dcl_statement_list', 'dbt')(relation, grant_config, get_dcl_macro)) }}{%- endmacro %}
{% macro default__get_dcl_statement_list(relation, grant_config, get_dcl_macro) -%}
  {%- set out = [] -%}
  {%- for privilege, grantees in grant_config.items() if grantees -%}
    {%- if support_multiple_grantees_per_dcl_statement() -%}
      {%- do out.append(get_dcl_macro(relation, privilege, grantees)) -%}
    {%- else -%}
      {%- for one in grantees -%}{%- do out.append(get_dcl_macro(relation, privilege, [one])) -%}{%- endfor -%}
    {%- endif -%}
  {%- endfor -%}
  {{ return(out) }}
{%- endmacro %}
{% macro call_dcl_statements(dcl_statement_list) -%}{{ return(adapter.dispatch('call_dcl_statements', 'dbt')(dcl_statement_list)) }}{%- endmacro %}
{% macro default__call_dcl_statements(dcl_statement_list) -%}
  {%- for text in dcl_statement_list -%}{%- call statement('grants') -%}{{ text }}{%- endcall -%}{%- endfor -%}
{%- endmacro %}
{% macro apply_grants(relation, grant_config, should_revoke=True) -%}{{ return(adapter.dispatch('apply_grants', 'dbt')(relation, grant_config, should_revoke)) }}{%- endmacro %}
{% macro default__apply_grants(relation, grant_config, should_revoke=True) -%}
  {%- if grant_config -%}
    {%- set now = adapter.standardize_grants_dict(run_query(get_show_grant_sql(relation))) if should_revoke else {} -%}
    {%- set statements = get_dcl_statement_list(relation, diff_of_two_dicts(now, grant_config), get_revoke_sql) + get_dcl_statement_list(relation, diff_of_two_dicts(grant_config, now), get_grant_sql) -%}
    {%- if statements -%}{{ call_dcl_statements(statements) }}{%- endif -%}
  {%- endif -%}
{%- endmacro %}
{# For products without users. #}
{% macro dvt_no_grants(relation, grant_config) -%}
  {%- if grant_config -%}{%- do exceptions.warn('grants of ' ~ model.name ~ ' are left out: ' ~ adapter.type() ~ ' has no users') -%}{%- endif -%}
{%- endmacro %}
