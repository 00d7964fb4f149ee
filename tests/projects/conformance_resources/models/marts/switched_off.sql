{{ config(enabled=var('switch') == false) }}
select 1 as id
