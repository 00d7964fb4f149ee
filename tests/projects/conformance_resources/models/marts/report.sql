{{ config(materialized='incremental', unique_key=['id'], incremental_strategy='delete+insert', on_schema_change='append_new_columns') }}
select * from {{ ref('customers') }} union all select id, cast(old as varchar) from {{ ref("customers", v=1) }}
{% if is_incremental() %} where id > (select max(id) from {{ this }}){% endif %}
