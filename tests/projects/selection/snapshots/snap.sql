{% snapshot customers_snap %}{{ config(unique_key='id', strategy='check', check_cols='all', tags=['snap']) }}select * from {{ ref('stg_customers') }}{% endsnapshot %}
