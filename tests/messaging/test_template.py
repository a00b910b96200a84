import pytest
from django.core.exceptions import ValidationError

from messaging.models import EmailTemplate, Link
from messaging.starters import SUBJECTS, starter

from . import world

PAGE = "<mjml><mj-body>\n<mj-section><mj-column>\n{}</mj-column></mj-section></mj-body></mjml>"


@pytest.mark.parametrize(
    ("_case", "inside", "sentence"),
    [
        ("unknown element", "<mj-txt>a</mj-txt>", "Body, line 3: <mj-txt> is not an MJML element."),
        ("not closed", "<mj-text>a", "Body, line 3: expected </mj-text> (opened on line 3), found </mj-column>."),
        ("bare sign", "<mj-text>\na < b</mj-text>", "Body, line 4: expected &lt; for the sign <, found <."),
        ("open variable", "<mj-text>{{ a", "Body, line 3: expected “}}”, found end of file."),
        (
            "unknown variable",
            "<mj-text>\n{{ settings.SECRET_KEY }}</mj-text>",
            "Body, line 4: “settings.SECRET_KEY” is",
        ),
        ("misspelt variable", "<mj-text>{{ customer.nme }}</mj-text>", "“customer.nme” is not known. Expected one of"),
        ("no prefix", "<mj-text>{{ customer }}</mj-text>", "“customer” is not known."),
        ("unknown filter", "<mj-text>{{ store.name | safe }}</mj-text>", "Body, line 3: “safe” is not a filter."),
        ("unknown tag", "<mj-text>{% include 'x' %}</mj-text>", "Body, line 3: unexpected tag “include”."),
        ("endless list", "<mj-text>{{ (1..999999999) | join }}</mj-text>", "may stand in a “for” only."),
        ("unclosed if", "<mj-text>{% if store.name %}</mj-text>", "expected tag endif"),
        ("script link", '<mj-text><a href="javascript:x">a</a></mj-text>', "the link “javascript:x” is no address"),
        (
            "host from value",
            '<mj-button href="https://{{ customer.name }}/">a</mj-button>',
            "Expected https:// and a fixed",
        ),
        ("host in disguise", '<mj-button href="https://a.com@evil.com/">a</mj-button>', "is no address"),
        ("script", "<mj-text><script>x</script></mj-text>", "<script> does not work in e-mail."),
        ("file", '<mj-include path="/etc/passwd" />', "<mj-include> is not an MJML element."),
        (
            "dropped",
            '<mj-spacer foo="{{ store.name }}" />',
            "Body, line 3: {{ store.name }} stands where MJML drops it.",
        ),
    ],
)
def test_a_mistake_is_told_with_its_line(_case, inside, sentence):
    template = EmailTemplate(name="x", subject="x", body=PAGE.format(inside))

    with pytest.raises(ValidationError) as raised:
        template.clean()

    assert sentence in " ".join(raised.value.message_dict["body"])


def test_mistakes_in_the_subject_stand_at_the_subject():
    template = EmailTemplate(name="x", subject="{{ customer.x }}", body=PAGE.format("<mj-text>a</mj-text>"))

    with pytest.raises(ValidationError) as raised:
        template.clean()

    assert raised.value.message_dict["subject"][0].startswith("Subject, line 1: “customer.x” is not known.")


@pytest.mark.django_db
def test_each_authored_address_is_one_link_for_good():
    body = PAGE.format(
        '<mj-text><a href="https://a.example/?x=1&amp;y=2">a</a> <a href="https://a.example/?x=1&amp;y=2">b</a>'
        '<a href="mailto:a@b.example">c</a> <a href="tel:+12025550143">d</a> <a href="#top">e</a></mj-text>'
    )
    template = EmailTemplate.objects.create(name="x", subject="x", body=body)

    link = Link.objects.get()
    assert link.url == "https://a.example/?x=1&y=2"
    assert template.html.count(f'href="{{{{ links.click }}}}{link.pk}"') == 2
    assert 'href="mailto:a@b.example"' in template.html
    assert 'href="tel:+12025550143"' in template.html
    assert 'href="#top"' in template.html
    assert f"a ({{{{ links.click }}}}{link.pk})" in template.text

    template.body = PAGE.format('<mj-text><a href="https://b.example/">a</a></mj-text>')
    template.save()
    template.save()
    assert list(Link.objects.order_by("pk").values_list("url", flat=True)) == [link.url, "https://b.example/"]


@pytest.mark.django_db
def test_marketing_mail_names_the_store_and_the_way_out_and_service_mail_need_not():
    assert "{{ links.unsubscribe }}" in world.template().html
    assert "{{ store.postal_address }}" in world.template().text
    assert "unsubscribe" not in world.service().html
    own = world.template('<a href="{{ links.unsubscribe }}">Stop</a>').html
    assert own.count("{{ links.unsubscribe }}") == 1


@pytest.mark.django_db
def test_the_preview_comes_first_and_the_pixel_last():
    html = world.template("there", preview="Salt & {{ store.name }}").html

    assert "Salt &amp; {{ store.name }}</div>" in html
    assert html.index("Salt &amp;") < html.index("Hello there") < html.index("{{ links.open }}")
    assert "fonts.googleapis.com" not in html


@pytest.mark.django_db
def test_an_update_of_one_field_compiles_too():
    template = world.template("one")
    template.body = template.body.replace("one", "two")
    template.save(update_fields=["body"])

    template.refresh_from_db()
    assert "Hello two" in template.html
    assert "Hello two" in template.text


@pytest.mark.django_db
@pytest.mark.parametrize("name", SUBJECTS)
def test_every_starter_compiles(name):
    template = EmailTemplate.objects.create(name=name, **starter(name))

    assert template.links.count() == (0 if name == "points_notice" else 1)
    assert "{{ store.name }}" in template.text
    assert len(template.html) < 100_000
    assert max(map(len, template.html.splitlines())) < 900
