-- depends_on: {{ ref('built') }}
{{ config(materialized='table') }}
{% set numbers = ref('numbers') %}
{% if execute %}
  {{ check('get_relation', adapter.get_relation(numbers.database, numbers.schema, 'numbers').is_table, true) }}
  {{ check('get_relation of nothing', adapter.get_relation(numbers.database, numbers.schema, 'no_such') is none, true) }}
  {{ check('load_relation', load_relation(numbers) is not none, true) }}
  {% set columns = adapter.get_columns_in_relation(numbers) %}
  {{ check('columns', columns | map(attribute='name') | list, ['id', 'name', 'amount', 'day']) }}
  {{ check('column kinds', [columns[0].is_integer(), columns[0].is_number(), columns[1].is_string(), columns[2].is_number()], [true, true, true, true]) }}
  {{ check('quoted', columns[0].quoted, adapter.quote('id')) }}
  {{ check('missing columns', adapter.get_missing_columns(numbers, ref('built')) | map(attribute='name') | list, ['name', 'day']) }}
  {{ check('check_schema_exists', [adapter.check_schema_exists(target.database, target.schema), adapter.check_schema_exists(target.database, 'no_such')], [true, false]) }}
  {{ check('quote_as_configured', adapter.quote_as_configured('a', 'identifier'), adapter.quote('a')) }}
  {{ check('quote_seed_column', [adapter.quote_seed_column('a', false), adapter.quote_seed_column('a', true)], ['a', adapter.quote('a')]) }}
  {{ check('columns of a query', get_columns_in_query('select 1 as a, 2 as b'), ['a', 'b']) }}
  {{ check('get_or_create_relation', get_or_create_relation(target.database, target.schema, 'no_such', 'table')[0], false) }}
  {{ check('translate_type', [api.Column.translate_type('string'), api.Column.numeric_type('numeric', 5, 2), api.Column.create('a', 'integer').data_type], ['TEXT', 'numeric(5,2)', 'integer']) }}
  {{ check('Column', [api.Column('a', 'character varying', 20).data_type, api.Column.from_description('a', 'numeric(10,2)').numeric_scale], ['character varying(20)', 2]) }}
  {% set made = api.Relation.create(database='d', schema='s', identifier='i', type='view') %}
  {{ check('Relation', [made.database, made.is_view, made.include(database=false).include_policy.database, made.quote(schema=false).quote_policy.schema], ['d', true, false, false]) }}
  {{ check('Relation is a mapping', [made is mapping, made is string, made.get('metadata').type.endswith('Relation')], [true, false, true]) }}
  {{ check('parts', [made.without_identifier().render(), made.without_identifier().identifier is none, made.incorporate(path={'identifier': 'j'}).identifier, made.replace_path(schema='t').schema], ['"d"."s"', true, 'j', 't']) }}
  {{ check('information schema', (made.information_schema('columns') | string | lower).endswith('"d".information_schema.columns'), true) }}
  {{ check('ephemeral prefix', api.Relation.add_ephemeral_prefix('a'), '__dbt__cte__a') }}
  {{ check('relations as keys', {numbers: 1}[ref('numbers')], 1) }}
  {{ check('equal relations', [numbers == ref('numbers'), numbers == made], [true, false]) }}

  {% set table = run_query('select id, name, amount, day from ' ~ numbers ~ ' order by id') %}
  {{ check('column_names', table.column_names, ('id', 'name', 'amount', 'day')) }}
  {{ check('columns of a table', [table.columns[0].values() | list, table.columns['name'].values() | list, table.columns[0].name], [[1, 2, 3], ['one', 'two', none], 'id']) }}
  {{ check('rows', [table.rows | length, table.rows[0]['name'], table.rows[1][0], table | length], [3, 'one', 2, 3]) }}
  {{ check('numbers of a query', [table.rows[0]['amount'] > 1, table.rows[0]['amount'] + 1], [true, 2.5]) }}
  {{ check('days of a query', [table.rows[0]['day'].strftime('%d'), table.rows[0]['day'] | string], ['31', '2024-01-31']) }}
  {{ check('select and exclude', [table.select(['id']).column_names, table.exclude(['id', 'day']).column_names], [('id',), ('name', 'amount')]) }}
  {{ check('rename', table.rename(column_names={'id': 'key'}).column_names[0], 'key') }}
  {{ check('order_by and limit', [table.order_by('id', reverse=true).rows[0][0], table.limit(2).rows | length], [3, 2]) }}
  {{ check('dict of a row', table.rows[0].dict()['id'], 1) }}
  {{ check('values without nulls', table.columns['name'].values_without_nulls() | list, ['one', 'two']) }}
  {% call statement('counted', fetch_result=true) %}select count(*) as n from {{ numbers }}{% endcall %}
  {% set counted = load_result('counted') %}
  {{ check('statement', [counted['data'][0][0], counted.table.rows[0]['n'], load_result('absent') is none], [3, 3, true]) }}
  {{ check('star of a package', extra.star(numbers, except=['day']), '"id", "name", "amount"') }}
  {{ check('values of a package', extra.values_of(numbers, 'id'), [1, 2, 3]) }}
{% endif %}
select {{ extra.star(numbers) }} from {{ numbers }}
