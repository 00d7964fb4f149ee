{{ config(severity='error', tags=['one']) }}
select * from {{ ref('report') }} where id < 0
