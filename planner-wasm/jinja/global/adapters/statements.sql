{# The statements that make, rename and drop relations, as text: dbt's names for them. #}
{% macro get_drop_sql(relation) -%}{{ return(adapter.dispatch('get_drop_sql', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_drop_sql(relation) -%}
  {%- if relation.is_view -%}{{ drop_view(relation) }}
  {%- elif relation.is_table -%}{{ drop_table(relation) }}
  {%- elif relation.is_materialized_view -%}{{ drop_materialized_view(relation) }}
  {%- else -%}drop {{ (relation.type or 'table') | replace('_', ' ') }} if exists {{ relation }} cascade
  {%- endif -%}
{%- endmacro %}
{% macro drop_table(relation) -%}{{ return(adapter.dispatch('drop_table', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__drop_table(relation) -%}
  drop table if exists {{ relation }} cascade
{%- endmacro %}
{% macro drop_view(relation) -%}{{ return(adapter.dispatch('drop_view', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__drop_view(relation) -%}
  drop view if exists {{ relation }} cascade
{%- endmacro %}
{% macro drop_materialized_view(relation) -%}{{ return(adapter.dispatch('drop_materialized_view', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__drop_materialized_view(relation) -%}
  drop materialized view if exists {{ relation }} cascade
{%- endmacro %}
{% macro get_rename_sql(relation, new_name) -%}{{ return(adapter.dispatch('get_rename_sql', 'dbt')(relation, new_name)) }}{%- endmacro %}
{% macro default__get_rename_sql(relation, new_name) -%}
  {%- if relation.is_view -%}{{ get_rename_view_sql(relation, new_name) }}
  {%- elif relation.is_table -%}{{ get_rename_table_sql(relation, new_name) }}
  {%- elif relation.is_materialized_view -%}{{ get_rename_materialized_view_sql(relation, new_name) }}
  {%- else -%}{{ exceptions.raise_compiler_error('get_rename_sql is not available for a ' ~ relation.type) }}
  {%- endif -%}
{%- endmacro %}
{% macro get_rename_table_sql(relation, new_name) -%}{{ return(adapter.dispatch('get_rename_table_sql', 'dbt')(relation, new_name)) }}{%- endmacro %}
{% macro default__get_rename_table_sql(relation, new_name) -%}
  alter table {{ relation }} rename to {{ new_name }}
{%- endmacro %}
{% macro get_rename_view_sql(relation, new_name) -%}{{ return(adapter.dispatch('get_rename_view_sql', 'dbt')(relation, new_name)) }}{%- endmacro %}
{% macro default__get_rename_view_sql(relation, new_name) -%}
  alter view {{ relation }} rename to {{ new_name }}
{%- endmacro %}
{% macro get_rename_materialized_view_sql(relation, new_name) -%}{{ return(adapter.dispatch('get_rename_materialized_view_sql', 'dbt')(relation, new_name)) }}{%- endmacro %}
{% macro default__get_rename_materialized_view_sql(relation, new_name) -%}
  alter materialized view {{ relation }} rename to {{ new_name }}
{%- endmacro %}
{% macro get_create_sql(relation, sql) -%}{{ return(adapter.dispatch('get_create_sql', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__get_create_sql(relation, sql) -%}
  {%- if relation.is_view -%}{{ get_create_view_as_sql(relation, sql) }}
  {%- elif relation.is_table -%}{{ get_create_table_as_sql(False, relation, sql) }}
  {%- elif relation.is_materialized_view -%}{{ get_create_materialized_view_as_sql(relation, sql) }}
  {%- else -%}{{ exceptions.raise_compiler_error('get_create_sql is not available for a ' ~ relation.type) }}
  {%- endif -%}
{%- endmacro %}
{% macro get_create_intermediate_sql(relation, sql) -%}{{ return(adapter.dispatch('get_create_intermediate_sql', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__get_create_intermediate_sql(relation, sql) -%}
  {%- set intermediate = make_intermediate_relation(relation).incorporate(type=relation.type) -%}
  {{ get_drop_sql(intermediate) }};
  {{ get_create_sql(intermediate, sql) }}
{%- endmacro %}
{% macro get_create_backup_sql(relation) -%}{{ return(adapter.dispatch('get_create_backup_sql', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_create_backup_sql(relation) -%}
  {%- set backup = make_backup_relation(relation, relation.type) -%}
  {{ get_drop_sql(backup) }};
  {{ get_rename_sql(relation, backup.identifier) }}
{%- endmacro %}
{% macro get_rename_intermediate_sql(relation) -%}{{ return(adapter.dispatch('get_rename_intermediate_sql', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_rename_intermediate_sql(relation) -%}
  {{ get_rename_sql(make_intermediate_relation(relation).incorporate(type=relation.type), relation.identifier) }}
{%- endmacro %}
{% macro get_drop_backup_sql(relation) -%}{{ return(adapter.dispatch('get_drop_backup_sql', 'dbt')(relation)) }}{%- endmacro %}
{% macro default__get_drop_backup_sql(relation) -%}
  {{ get_drop_sql(make_backup_relation(relation, relation.type)) }}
{%- endmacro %}
{% macro get_replace_table_sql(relation, sql) -%}{{ return(adapter.dispatch('get_replace_table_sql', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__get_replace_table_sql(relation, sql) -%}
  {{ exceptions.raise_compiler_error('get_replace_table_sql is not available for adapter ' ~ adapter.type()) }}
{%- endmacro %}
{% macro get_replace_view_sql(relation, sql) -%}{{ return(adapter.dispatch('get_replace_view_sql', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__get_replace_view_sql(relation, sql) -%}
  {{ exceptions.raise_compiler_error('get_replace_view_sql is not available for adapter ' ~ adapter.type()) }}
{%- endmacro %}
{% macro get_replace_materialized_view_sql(relation, sql) -%}{{ return(adapter.dispatch('get_replace_materialized_view_sql', 'dbt')(relation, sql)) }}{%- endmacro %}
{% macro default__get_replace_materialized_view_sql(relation, sql) -%}
  {{ exceptions.raise_compiler_error('get_replace_materialized_view_sql is not available for adapter ' ~ adapter.type()) }}
{%- endmacro %}
{% macro get_replace_sql(existing_relation, target_relation, sql) -%}{{ return(adapter.dispatch('get_replace_sql', 'dbt')(existing_relation, target_relation, sql)) }}{%- endmacro %}
{% macro default__get_replace_sql(existing_relation, target_relation, sql) -%}
  {%- if existing_relation.can_be_renamed -%}
  {{ get_create_intermediate_sql(target_relation, sql) }};
  {{ get_create_backup_sql(existing_relation) }};
  {{ get_rename_intermediate_sql(target_relation) }};
  {{ get_drop_backup_sql(existing_relation) }}
  {%- else -%}
  {{ get_drop_sql(existing_relation) }};
  {{ get_create_sql(target_relation, sql) }}
  {%- endif -%}
{%- endmacro %}
{% macro drop_schema_named(schema_name) -%}{{ return(adapter.dispatch('drop_schema_named', 'dbt')(schema_name)) }}{%- endmacro %}
{% macro default__drop_schema_named(schema_name) -%}
  {{ drop_schema(api.Relation.create(database=target.database, schema=schema_name)) }}
{%- endmacro %}

{# Seeds are loaded in bulk; these say what dbt's would. #}
{% macro get_batch_size() -%}{{ return(adapter.dispatch('get_batch_size', 'dbt')()) }}{%- endmacro %}
{% macro default__get_batch_size() -%}{{ return(10000) }}{%- endmacro %}
{% macro get_binding_char() -%}{{ return(adapter.dispatch('get_binding_char', 'dbt')()) }}{%- endmacro %}
{% macro default__get_binding_char() -%}{{ return('%s') }}{%- endmacro %}
{% macro get_seed_column_quoted_csv(model, column_names) -%}
  {%- set quoted = [] -%}
  {%- for name in column_names -%}{%- do quoted.append(adapter.quote_seed_column(name, model['config'].get('quote_columns'))) -%}{%- endfor -%}
  {{ return(quoted | join(', ')) }}
{%- endmacro %}
