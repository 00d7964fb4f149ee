{{ config(materialized='ephemeral') }}
select id from {{ ref('numbers') }} where id > 1
