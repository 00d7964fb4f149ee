{{ config(materialized='noted', note='kept', tags=['own', var('project_var') | string]) }}
select id, amount from {{ ref('numbers') }}
