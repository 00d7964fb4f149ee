{{ config({'materialized': 'table', 'tags': ['x', 'y']}) }}
{{ config(tags='z', meta={'k': none}) }}
select * from {{ ref('a') }}
