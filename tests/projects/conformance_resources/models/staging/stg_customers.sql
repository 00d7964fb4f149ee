{{ config(tags=['inline'], meta={'x': 1}) }}
select id, {{ tools.twice('id') }} as twice from {{ source('raw', 'customers') }}
