select {{ var('rate') }} as rate, '{{ var("since") }}' as since, {{ var('mode') }} as mode, '{{ var("on_it") }}' as on_it
