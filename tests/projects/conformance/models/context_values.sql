-- depends_on: {{ ref('aliased') }}
-- depends_on: {{ ref('numbers') }}
{{ config(materialized='table', meta={'owner': 'me'}) }}
{% if execute %}
  {{ check('project_name', project_name, 'conformance') }}
  {{ check('var', [var('project_var'), var('absent', 'd'), var.has_var('absent')], [7, 'd', false]) }}
  {{ check('config', [config.get('materialized'), config.get('absent', 1)], ['table', 1]) }}
  {{ check('model', [model.name, model.resource_type, model.config.materialized, model.package_name, model['unique_id']], ['context_values', 'model', 'table', 'conformance', 'model.conformance.context_values']) }}
  {{ check('model.meta', model.config.meta.owner, 'me') }}
  {{ check('model.depends_on', 'seed.conformance.numbers' in model.depends_on.nodes, true) }}
  {{ check('this', [this.identifier, this.schema, this.name, this.table], ['context_values', target.schema, 'context_values', 'context_values']) }}
  {{ check('schema', schema, target.schema) }}
  {{ check('target', [target.profile_name, target.type], ['conformance', adapter.type()]) }}
  {{ check('graph', graph.nodes.values() | selectattr('resource_type', 'equalto', 'seed') | map(attribute='name') | list, ['numbers']) }}
  {{ check('graph tags', graph.nodes['model.conformance.built'].config.tags, ['own', '7']) }}
  {{ check('flags', [flags.WHICH in ['build', 'run'], flags.FULL_REFRESH], [true, false]) }}
  {{ check('selected_resources', model.unique_id in selected_resources, true) }}
  {{ check('invocation', [invocation_id | length, invocation_args_dict.which], [36, flags.WHICH]) }}
  {{ check('run_started_at', run_started_at.strftime('%Y') | int > 2000, true) }}
  {{ check('dispatch', [extra.kind(), extra.untouched()], ['overridden', 'shipped']) }}
  {{ check('override of a built-in', dbt.string_literal('a'), "'<a>'") }}
  {{ check('override of ref', ref('numbers').identifier, 'numbers') }}
  {{ check('ref of a package', ref('conformance', 'numbers').identifier, 'numbers') }}
  {{ check('an ephemeral', [ref('inlined').is_cte, ref('inlined') | string], [true, '__dbt__cte__inlined']) }}
  {{ check('is_incremental', is_incremental(), false) }}
  {{ check('builtins', builtins.ref is callable, true) }}
  {{ check('alias', ref('aliased').identifier, 'aliased_x') }}
  {{ check('render', render('{{ 1 + 1 }}'), '2') }}
  {{ check('local_md5', local_md5('x'), '9dd4e461268c8034f5c8564e155c67a6') }}
  {{ check('json', [fromjson('{"a": [1, null]}'), tojson({'b': 1, 'a': true})], [{'a': [1, none]}, '{"b": 1, "a": true}']) }}
  {{ check('yaml', [fromyaml('a: [1, 2]'), fromyaml(toyaml({'a': 1}))], [{'a': [1, 2]}, {'a': 1}]) }}
  {{ check('sets', [set([1, 1, 2]) == set([2, 1]), set([1]) | length, set(1, 'd')], [true, 1, 'd']) }}
  {{ check('set_strict and zip_strict', [set_strict([3]) | list, zip_strict([1], ['a']) | list], [[3], [(1, 'a')]]) }}
  {{ check('zip', zip([1, 2], ['a', 'b']) | list, [(1, 'a'), (2, 'b')]) }}
  {{ check('diff_of_two_dicts', diff_of_two_dicts({'a': ['x', 'y']}, {'a': ['x']}), {'a': ['y']}) }}
  {{ check('macro stack', outer().call_stack | length, 3) if false }}
  {{ check('a macro that returns nothing', fails_softly() is none, true) }}
  {{ check('log', log('a line'), '') }}
  {{ check('exceptions.warn', exceptions.warn('only a warning'), '') }}
{% endif %}
select 1 as id
from {{ ref('inlined') }}
