"""The e-mail of the benchmark: a page of text, a few variables, three links."""

from messaging.models import EmailTemplate

BODY = """
<mjml>
  <mj-body>
    <mj-section><mj-column>
      <mj-text font-size="24px">Hello {{ customer.first_name | default: "there" }}</mj-text>
      <mj-text>It has been a while, and we at {{ store.name }} would like to see you again.
        {% if customer.state == "MA" %}Your shop in Massachusetts is open till nine.{% else %}We deliver to
        {{ customer.state }} within two days.{% endif %}</mj-text>
      <mj-button href="https://example.com/new">See what is new</mj-button>
    </mj-column></mj-section>
    <mj-section>
      <mj-column><mj-text>Coffee, roasted this week</mj-text>
        <mj-button href="https://example.com/coffee">Coffee</mj-button></mj-column>
      <mj-column><mj-text>Tea from small gardens</mj-text>
        <mj-button href="https://example.com/tea">Tea</mj-button></mj-column>
    </mj-section>
    <mj-section><mj-column>
      <mj-text>You get this at {{ customer.email }}. <a href="{{ links.unsubscribe }}">Unsubscribe</a></mj-text>
    </mj-column></mj-section>
  </mj-body>
</mjml>
"""


def template() -> EmailTemplate:
    """The benchmark's template, as staff would have saved it."""
    known = EmailTemplate.objects.filter(name="Bench").first()
    return known or EmailTemplate.objects.create(
        name="Bench", subject="We miss you, {{ customer.first_name }}", preview="A word from us", body=BODY
    )
