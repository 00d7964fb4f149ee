{{ config(alias='tool_alias', schema='inline') }}
select {{ var('size') }} as size, '{{ var("other") }}' as other
