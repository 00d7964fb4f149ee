{{ config(materialized='incremental', unique_key='id', schema='other') }}
select id, happened from {{ ref('events') }}
