{{ config(materialized='ephemeral') }}
select id, doubled + 1 as more from {{ ref('steps') }}
