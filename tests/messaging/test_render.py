import pytest

from messaging.models import EmailTemplate
from messaging.render import NotRendered, Rendered, compiled, links, render, templates, values_of, variables

from . import world

pytestmark = pytest.mark.django_db


def rendered(template: EmailTemplate, who, now, **message) -> Rendered:
    parts = templates([template.pk])
    values = values_of(parts.values(), [who.pk], now)
    return render(parts[template.pk], variables(values, who.pk, message, links(7)))


@pytest.mark.parametrize("name", ["<script>alert(1)</script>", "{{ store.name }}", "{% include 'x' %}", "“Ann” & 'Co'"])
def test_a_value_is_only_ever_text(now, name):
    who = world.fan(now, first_name=name)
    content = rendered(world.template("{{ customer.first_name }}", subject="{{ customer.first_name }}"), who, now)

    assert "<script>" not in content.html
    assert f"Hello {name}" in content.text
    assert content.subject == name
    shown = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("'", "&#39;")
    assert f"Hello {shown}" in content.html


def test_links_lead_through_ours_with_one_token(now):
    template = world.template()
    content = rendered(template, world.fan(now), now)

    own = links(7)
    assert f'href="{own["click"]}{template.links.get().pk}"' in content.html
    assert f'src="{own["open"]}"' in content.html
    assert f'href="{own["unsubscribe"]}"' in content.html
    assert own["click"].startswith("https://club.example.com/t/c/7.")


@pytest.mark.parametrize(
    ("_case", "content", "text"),
    [
        ("fallback", '{{ customer.first_name | default: "friend" }}', "Hello friend"),
        ("question", "{% if customer.first_name %}Ann{% else %}you{% endif %}", "Hello you"),
        ("message's own", "{{ message.points }}", "Hello 100"),
        ("loop", "{% for i in (1..3) %}{{ i }}{% endfor %}", "Hello 123"),
        ("attributes", "{{ customer.attributes.size }}", "Hello XL"),
    ],
)
def test_what_is_known_is_filled_in(now, _case, content, text):
    who = world.fan(now, attributes={"size": "XL"})

    assert text in rendered(world.template(content), who, now, points=100).text


@pytest.mark.parametrize(
    ("_case", "content", "sentence"),
    [
        ("missing", "{{ customer.first_name }}", "customer.first_name is not known of this customer."),
        ("missing in a filter", "{{ customer.first_name | upcase }}", "customer.first_name is not known"),
        ("missing from the message", "{{ message.points }}", "message.points is not known of this customer."),
        ("break without loop", "{% break %}", "stands outside of a loop"),
        ("loop without end", "{% for i in (1..2000) %}x{% endfor %}", "loop iteration limit reached"),
        (
            "nested loops",
            "{% for i in (1..900) %}{% for j in (1..900) %}x{% endfor %}{% endfor %}",
            "loop iteration limit reached",
        ),
        (
            "too long",
            "{% assign a = 'aaaaaaaaaa' %}{% for i in (1..30) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
            "limit reached",
        ),
    ],
)
def test_what_cannot_be_filled_in_is_refused(now, _case, content, sentence):
    template = world.template(content)
    who = world.fan(now)

    with pytest.raises(NotRendered, match=sentence):
        rendered(template, who, now)


def test_a_missing_value_in_an_address_is_refused(now):
    template = world.service('<a href="https://a.example/{{ message.sku }}">x</a>')

    with pytest.raises(NotRendered, match="message.sku is not known"):
        rendered(template, world.fan(now), now)


def test_a_template_is_compiled_once_and_again_after_a_change(now, django_assert_num_queries):
    template, who = world.template("one"), world.fan(now)
    assert "Hello one" in rendered(template, who, now).text
    with django_assert_num_queries(3):  # the template's age, the customer, the store
        rendered(template, who, now)

    template.body = template.body.replace("one", "two")
    template.save()
    assert "Hello two" in rendered(template, who, now).text
    assert compiled.cache_info().misses == 2
