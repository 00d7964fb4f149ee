{{ config(materialized='table') }}
select cast(id as bigint) as id, cast(amount as decimal(12, 3)) as amount, cast(happened as date) as on_day, [id] as ids, {'a': id, 'b': note} as pair, ok
from {{ ref('events') }}
