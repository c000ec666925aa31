"""Programs that come with a checkpoint: rendered as transformers renders them, and a hostile one gets nowhere."""

from __future__ import annotations

import pytest

from vergence.conversation import Conversation, user
from vergence.errors import DataError
from vergence.processing.jinja_sandbox import MAX_SOURCE, Sandbox
from vergence.processing.jinja_template import JinjaTemplate

MESSAGES = Conversation((user("a"),))

ESCAPES = [
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ ''.__class__ }}",
    "{{ messages['__class__'] }}",
    "{{ messages | attr('__class__') }}",
    "{{ messages | attr('__cla' ~ 'ss__') }}",
    "{{ ''['__cla' + 'ss__'] }}",
    "{{ '{0.__class__}'.format(messages) }}",
    "{{ ('{0._' + '_class__}').format(messages) }}",
    "{{ raise_exception.__globals__ }}",
    "{{ self._TemplateReference__context }}",
    "{{ namespace.__init__.__globals__ }}",
    "{{ messages | map(attribute='__class__') | list }}",
    "{{ messages.append(1) }}",
    "{{ messages[0].update({'a': 1}) }}",
    "{{ lipsum.__globals__ }}",
    "{{ cycler.__init__.__globals__.os.popen('id').read() }}",
    "{% include '/etc/passwd' %}",
    "{% import 'os' as os %}",
    "{% set ns = namespace() %}{% set ns.__class__ = 1 %}",
]


@pytest.mark.parametrize("source", ESCAPES)
def test_a_program_that_reaches_outside_is_refused_in_one_line(source):
    with pytest.raises(DataError) as caught:
        JinjaTemplate(source, []).render(MESSAGES)
    assert "\n" not in str(caught.value)


NESTED = "{{% for i in {0} %}}{{% for j in {0} %}}{{% for k in {0} %}}{{% endfor %}}{{% endfor %}}{{% endfor %}}"
BOMBS = {
    "range": "{% for i in range(10 ** 9) %}{% endfor %}",
    "nested ranges": NESTED.format("range(9999)"),
    "letters": "{% set a = 'x' * 9999 %}" + NESTED.format("a"),
    "product": "{{ 'x' * 10 ** 10 }}",
    "list product": "{{ [1] * 10 ** 10 }}",
    "power": "{{ 9 ** 9 ** 9 }}",
    "doubling": "{% set n = namespace(x='xx') %}{% for i in range(64) %}{% set n.x = n.x ~ n.x %}{% endfor %}",
    "sum": "{% set n = namespace(x='xx') %}{% for i in range(64) %}{% set n.x = n.x + n.x %}{% endfor %}",
    "laughs": "{% set n = namespace(x=['x']) %}{% for i in range(64) %}{% set n.x = [n.x, n.x] %}{% endfor %}{{ n.x }}",
    "comparison": (
        "{% set n = namespace(x=[1], y=[1]) %}{% for i in range(64) %}{% set n.x = [n.x, n.x] %}"
        "{% set n.y = [n.y, n.y] %}{% endfor %}{{ n.x == n.y }}"
    ),
    "varargs": (
        "{% set n = namespace(x=[1]) %}{% macro m() %}{% set n.x = varargs %}{% endmacro %}"
        "{% for i in range(64) %}{{ m(n.x, n.x) }}{% endfor %}{{ n.x }}"
    ),
    "replace": "{% set a = 'x' * 99999 %}{{ a.replace('x', a) }}",
    "replace filter": "{% set a = 'x' * 99999 %}{{ a | replace('x', a) }}",
    "join": "{% set a = 'x' * 99999 %}{{ a.join(a) }}",
    "join filter": "{% set a = 'x' * 99999 %}{{ a | join(a) }}",
    "indent": "{{ ('x\n' * 9999) | indent('x' * 9999) }}",
    "format": "{{ '%999999999d' % 1 }}",
    "format method": "{{ '{:999999999}'.format(1) }}",
    "format from outside": "{{ '{:{}}'.format(1, 999999999) }}",
    "center": "{{ 'x'.center(999999999) }}",
    "json": "{% set a = 'x' * 9999 %}{{ ([a] * 9999) | tojson }}",
    "macro": "{% macro m(n) %}{{ m(n + 1) }}{{ m(n + 1) }}{% endmacro %}{{ m(0) }}",
    "output": "{% set a = 'x' * 99 %}{% for i in range(99999) %}{{ a }}{% endfor %}",
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_program_that_never_ends_or_grows_is_stopped(name):
    with pytest.raises(DataError, match=r"too much|RecursionError|reaches for"):
        JinjaTemplate(BOMBS[name], []).render(MESSAGES)


def test_a_template_that_is_too_long_is_refused():
    Sandbox("x" * MAX_SOURCE)
    with pytest.raises(DataError, match="262,145 characters, more than 262,144"):
        JinjaTemplate("x" * (MAX_SOURCE + 1), [])
    with pytest.raises(DataError):
        JinjaTemplate("{{ " + "(" * 50_000 + ")" * 50_000 + " }}", [])


def test_long_dialogues_are_no_bombs():
    source = "{% set n = namespace(x='') %}{% for m in messages %}{% set n.x = n.x + m.content %}{% endfor %}{{ n.x }}"
    messages = [{"role": "user", "content": "word " * 200_000}] * 10
    assert len(Sandbox(source).render(messages)) == 10_000_000


def test_programs_render_as_transformers_renders_them():
    """The odds and ends of the environment: white space control, tojson, loop control, dates, generation blocks."""
    from transformers.utils.chat_template_utils import render_jinja_template

    source = (
        "  {% set x = {'b': 1, 'a': ['é', '<']} %}\n{{ x | tojson }}{{ x | tojson(indent=2) }}\n"
        "{% for i in range(9) %}\n  {% if i == 2 %}{% continue %}{% elif i == 5 %}{% break %}{% endif %}\n"
        "{{ i }}:{{ loop.index }}/{{ loop.length }}{{ loop.last }}{{ loop.previtem }},\n"
        "{{ loop.nextitem }}{% endfor %}\n"
        "{% for m in messages recursive %}{{ loop.cycle('a', 'b') }}{% endfor %}{{ strftime_now('%Y') | length }}\n"
        "{%- macro f(a, b=2) -%}{{ a ~ b }}{{ caller() if caller }}{%- endmacro -%}{{ f(1) }}"
        "{% call f(3) %}c{% endcall %}"
        "{% generation %}{% set y = 5 %}{{ y }}{% endgeneration %}{{ y }}{{ undefined_name }}{{ tools is none }}"
        "{{ [3, 1, 2] | sort | join('-') }}{{ 'a,b'.split(',') }}{{ messages[::-1] | length }}{{ 7 // 2 }}{{ 2 ** 5 }}"
        "{{ '%s=%d' % ('a', 3) }}{{ '{}-{x}'.format(1, x=2) }}{{ 'aXb' | replace('X', '-') }}{{ 3.14159 | round(2) }}"
        "{{ dict(a=1).items() | list }}{{ messages | map(attribute='role') | unique | list }}{{ 'a\nb' | indent(2) }}"
        "{% for k, v in x | dictsort %}{{ k }}{{ v }}{% endfor %}"
        "{{ messages | selectattr('role', 'eq', 'user') | list | length }}"
    )
    messages = [{"role": role, "content": "x"} for role in ("user", "assistant", "user")]
    rendered, _ = render_jinja_template([messages], chat_template=source, add_generation_prompt=True)
    assert Sandbox(source).render(messages, add_generation_prompt=True) == rendered[0]
