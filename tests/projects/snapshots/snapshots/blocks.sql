{% snapshot by_time %}
{{ config(target_schema=target.schema, strategy='timestamp', unique_key='id', updated_at='updated_at', invalidate_hard_deletes=true) }}
select * from {{ ref('people') }}
{% endsnapshot %}

{% snapshot by_check %}
{{ config(strategy='check', unique_key=['id', 'name'], check_cols=['code'], hard_deletes='new_record', updated_at='updated_at') }}
select * from {{ ref('people') }}
{% endsnapshot %}
