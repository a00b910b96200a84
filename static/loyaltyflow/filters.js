/* What is asked of an event: its own properties are offered, each with the comparisons of its type, and an empty row last. */
const offerProperties = (form) => {
  const one = (selector, within) => within.querySelector(selector);
  const all = (selector, within) => [...within.querySelectorAll(selector)];
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
