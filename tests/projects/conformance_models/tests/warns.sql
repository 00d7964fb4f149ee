{{ config(severity='warn', warn_if='>1', error_if='>100') }}
select * from {{ ref('grown') }}
