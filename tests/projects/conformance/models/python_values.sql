{{ config(materialized='table') }}
{% set words = ['b', 'a'] %}
{% set alias = words %}
{% do alias.append('c') %}
{% do words.sort() %}
{{ check('lists are shared', alias, ['a', 'b', 'c']) }}
{% set d = {'x': 1} %}
{% do d.update({'y': 2}) %}
{{ check('dicts', [d.items() | list, d.get('z', 3), d.pop('x'), d.keys() | list], [[('x', 1), ('y', 2)], 3, 1, ['y']]) }}
{{ check('slices', ['abc'[::-1], [1, 2, 3][-2:], 'a,b'.split(',')], ['cba', [2, 3], ['a', 'b']]) }}
{{ check('formats', ['%s-%03d' % ('a', 7), '{:>4}|{x}'.format('b', x=1)], ['a-007', '   b|1']) }}
{{ check('text', ['Ab'.swapcase(), 'x'.zfill(3), 'a-b'.partition('-'), 'ab'.removeprefix('a')], ['aB', '00x', ('a', '-', 'b'), 'b']) }}
{{ check('default of an argument', wrapped() if false else '', '') }}
{% set wrapping %}{% call(a, b) wrapped(open='[') %}{{ a }}{{ b }}{% endcall %}{% endset %}
{{ check('caller', wrapping, '[in2[') }}
{{ check('varargs and kwargs', counted(1, 2, a=3), (2, 1)) }}
{{ check('re', [modules.re.sub('[^a-z]+', '_', 'a-b c'), modules.re.match('(a)(b)?', 'ac').group(1), modules.re.findall('[0-9]', 'a1b2')], ['a_b_c', 'a', ['1', '2']]) }}
{% set moment = modules.datetime.datetime(2024, 1, 31, 22, 30) %}
{{ check('datetime', [(moment + modules.datetime.timedelta(days=1)).isoformat(), moment.strftime('%d/%m'), (moment - modules.datetime.datetime(2024, 1, 30)).days], ['2024-02-01T22:30:00', '31/01', 1]) }}
{% set there = modules.pytz.timezone('America/New_York').localize(moment) %}
{{ check('pytz', [there.isoformat(), there.astimezone(modules.pytz.utc).strftime('%H:%M %Z'), there.astimezone(modules.pytz.timezone('Asia/Kolkata')).isoformat()], ['2024-01-31T22:30:00-05:00', '03:30 UTC', '2024-02-01T09:00:00+05:30']) }}
{{ check('itertools', [modules.itertools.product([1, 2], ['a']) | list, modules.itertools.combinations([1, 2, 3], 2) | list | length], [[(1, 'a'), (2, 'a')], 3]) }}
{{ check('filters', [['1', 2] | map('int') | sum, 'a' | as_text, [3, 1] | sort | first, [{'n': 1}, {'n': 2}] | selectattr('n', '>', 1) | list | length], [3, 'a', 1, 1]) }}
{% set ns = namespace(total=0) %}
{% for n in range(4) if n is odd %}{% set ns.total = ns.total + n %}{% endfor %}
{{ check('namespace', ns.total, 4) }}
select 1 as id
