/* The forms of earning rules and multipliers: what they come to while one types. */
(() => {
  const one = (selector, within = document) => within.querySelector(selector);

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
      offerProperties(form);
      clearTimeout(late);
      late = setTimeout(() => tryOut(form, shown), 300);
    };
    form.addEventListener("input", changed);
    form.addEventListener("change", changed);
    window.django?.jQuery?.(form).on("change", "select", changed);  // lists that are searched tell it in their own way
    changed();
  });
})();
