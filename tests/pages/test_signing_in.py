import pytest


@pytest.mark.browser
def test_a_person_signs_in_and_comes_to_the_dashboard(chromium, live_server, boss):
    page = chromium.new_page()
    complaints = []
    page.on("console", lambda said: complaints.append(said.text) if said.type in ("error", "warning") else None)
    page.goto(live_server.url + "/")
    assert page.url == live_server.url + "/login/?next=/"
    page.fill("[name=username]", "dana")
    page.fill("[name=password]", "a long password")
    page.click("button[type=submit]")
    page.wait_for_load_state("networkidle")

    assert page.locator("h1").inner_text() == "Dashboard"
    assert complaints == []
    page.close()


@pytest.mark.browser
def test_the_content_security_policy_lets_no_inline_script_run(browse):
    page = browse()

    page.evaluate("""() => {
        const script = document.createElement("script");
        script.textContent = "window.ran = true";
        document.body.append(script);
    }""")

    assert page.evaluate("window.ran") is None
    assert any("Content Security Policy" in said for said in page.complaints)


@pytest.mark.parametrize("address", ["/", "/analytics/conversion/", "/messaging/message/", "/loyaltyflow/tickrun/"])
def test_nobody_sees_a_page_without_signing_in(client, db, address):
    assert client.get(address).url == f"/login/?next={address}"


@pytest.mark.parametrize("address", ["/messaging/message/", "/analytics/conversion/", "/loyaltyflow/tickrun/"])
def test_staff_see_only_what_they_were_given(client, django_user_model, db, address):
    client.force_login(django_user_model.objects.create_user("till", is_staff=True))

    assert client.get(address).status_code == 403
