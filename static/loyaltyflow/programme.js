/* The forms of earning rules and multipliers: what they come to while one types, and what is known of an event. */
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];

  const knowEvents = (form) => { // an event's own properties are offered, each with the comparisons of its type
    for (const filters of all("[data-filters]", form)) {
      const declared = JSON.parse(filters.dataset.known)[one("[name=event_type]", form)?.value] ?? {};
      one("datalist", filters).replaceChildren(...Object.keys(declared).map((name) => Object.assign(document.createElement("option"), { value: name })));
      const last = all(".filter", filters).at(-1);
      if (one("input", last).value) {
        const next = last.cloneNode(true);
        all("input", next).forEach((each) => { each.value = ""; each.removeAttribute("id"); });
        last.after(next);
      }
      for (const row of all(".filter", filters)) {
        const [property, value] = all("input", row), select = one("select", row);
        for (const group of all("optgroup", row)) group.hidden = group.disabled = group.dataset.kind !== (declared[property.value] ?? "text");
        const right = all("optgroup:not([hidden]) option", row).find((each) => each.value === select.value) ?? one("optgroup:not([hidden]) option", row);
        right.selected = true;
        value.hidden = filters.dataset.without.split(" ").includes(select.value);
      }
    }
  };

  let asked = 0;
  const tryOut = async (form, shown) => {
    const number = ++asked, said = new FormData(form);
    said.set("tried", shown.dataset.tried);
    const answer = await fetch(shown.dataset.try, { method: "POST", body: said, credentials: "same-origin" }).catch(() => null);
    if (!answer?.ok || number !== asked) return;  // what was typed since is asked for again
    const comesTo = await answer.json();
    one("[data-said]", shown).textContent = comesTo.said || "Fill in the form, and it says here what it gives.";
    one("[data-example]", shown).textContent = comesTo.example;
  };

  addEventListener("DOMContentLoaded", () => {
    const shown = one("[data-try]"), form = shown && (shown.closest("form") ?? one("form[id$=_form]"));
    if (!form) return;
    let late = null;
    const changed = () => {
      knowEvents(form);
      clearTimeout(late);
      late = setTimeout(() => tryOut(form, shown), 300);
    };
    form.addEventListener("input", changed);
    form.addEventListener("change", changed);
    window.django?.jQuery?.(form).on("change", "select", changed);  // lists that are searched tell it in their own way
    changed();
  });
})();
