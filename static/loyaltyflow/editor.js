/* What the editors share: the panel and what was typed in it, keyboard, dragging, choosing, and requests that fail.
   Every answer is drawn by the server; this only says where it goes and sees to it that nothing typed is lost. */
(() => {
  const one = (selector, within = document) => within.querySelector(selector);
  const all = (selector, within = document) => [...within.querySelectorAll(selector)];
  const panel = () => one("#panel");
  const form = () => one("#panel-form");
  const copy = (id) => one(id).content.firstElementChild.cloneNode(true);

  /* Editors open with the menu folded, and leave the person's choice for other pages as it was. ------------------- */
  const MENU = "sidebarDesktopOpen", unfolded = localStorage.getItem(MENU);
  localStorage.setItem(MENU, "0");
  document.addEventListener("alpine:initialized", () => (unfolded === null ? localStorage.removeItem(MENU) : localStorage.setItem(MENU, unfolded)));

  /* What was typed and not applied ------------------------------------------------------------------------------- */
  let clean = "", after = null, retry = null;
  const typed = () => new URLSearchParams(new FormData(form())).toString();
  const isDirty = () => Boolean(form()) && ("dirty" in form().dataset || typed() !== clean);
  addEventListener("beforeunload", (event) => { if (isDirty()) event.preventDefault(); });
  addEventListener("popstate", () => location.reload());

  const ask = (go) => {
    one(".panel-ask", panel())?.remove();
    const question = copy("#ask-first"), foot = one(".panel-foot", panel());
    question.addEventListener("click", (event) => {
      const does = event.target.closest("button")?.dataset.ask;
      if (!does) return;
      question.remove();
      if (does === "stay") return one("input:not([type=hidden]), select", form())?.focus();
      if (does === "drop") return go();
      after = go;
      htmx.trigger(form(), "submit");
    });
    foot.prepend(question);
    one("button", question).focus();
  };
  const unlessDirty = (go) => (isDirty() ? ask(go) : go());

  /* Requests ----------------------------------------------------------------------------------------------------- */
  const cookie = (name) => document.cookie.split("; ").find((each) => each.startsWith(`${name}=`))?.slice(name.length + 1) ?? "";
  document.addEventListener("htmx:configRequest", ({ detail }) => {
    detail.formData.delete("csrfmiddlewaretoken"); // signing in again, in another tab, has made the page's own stale
    detail.headers["X-CSRFToken"] = cookie("csrftoken");
  });
  document.addEventListener("htmx:confirm", (event) => {
    const { target, elt, verb, path } = event.detail;
    if (target !== panel() || elt === form() || elt.closest("[data-lets-go]") || !isDirty()) return;
    event.preventDefault();
    ask(() => { // what was pressed may have been drawn anew meanwhile
      form()?.remove();
      if (verb === "get") htmx.ajax("GET", path, { source: panel(), target: panel(), swap: "innerHTML" });
      else htmx.trigger(elt.isConnected ? elt : one(`[hx-post="${path}"]`), "submit");
    });
  });

  const REFUSED = { 401: "You were signed out. Sign in again in another tab, then press “Try again”: what you typed stays here.", 403: "Not saved: you are not allowed to change this. Ask whoever manages your staff accounts." };
  const isSignedOut = (xhr) => xhr?.status === 401 || Boolean(xhr?.responseURL && new URL(xhr.responseURL).pathname.endsWith("/login/"));
  const failed = ({ detail }) => {
    const { requestConfig, xhr } = detail, { elt } = requestConfig, quiet = elt.closest("[data-quiet]");
    after = null;
    const line = copy("#not-saved");
    one("p", line).textContent = REFUSED[isSignedOut(xhr) ? 401 : xhr?.status] ?? (requestConfig.verb === "get" ? "This could not be loaded. Try again." : "Not saved. Try again.");
    one("[data-sign-in]", line).hidden = !isSignedOut(xhr);
    retry = elt === form() ? () => htmx.trigger(form(), "submit") : () => htmx.ajax(requestConfig.verb, requestConfig.path, { source: elt.isConnected ? elt : panel(), target: requestConfig.target, swap: elt.closest("[hx-swap]")?.getAttribute("hx-swap"), values: Object.fromEntries(requestConfig.formData ?? []) });
    if (quiet) return void (quiet.dataset.quiet === "say" && quiet.replaceChildren(line));
    all(".panel-ask, .told > *").forEach((each) => each.remove());
    const foot = panel().contains(elt) && one(".panel-foot", panel());
    if (foot) return void foot.prepend(line);
    one("#told").replaceChildren(...line.childNodes);
    one("#told").hidden = false;
    putBack();
  };
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, failed);
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-retry]")) return;
    all(".panel-ask").forEach((each) => each.remove());
    one("#told").hidden = true;
    retry?.();
  });
  document.addEventListener("htmx:beforeRequest", ({ detail }) => { if (detail.requestConfig.verb === "post" && !detail.elt.closest("[data-quiet]")) one("#told").hidden = true; });

  let focused = null, counts = new Map(); // what each row said of itself, until it is counted anew
  document.addEventListener("htmx:oobBeforeSwap", ({ detail }) => { if (detail.target.id === "rows") counts = new Map(all("#rows [data-row] > .hit").map((hit) => [hit.id, hit.innerHTML])); });
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    focused = document.activeElement?.id;
    if (isSignedOut(detail.xhr)) { detail.shouldSwap = false; return failed({ detail }); }
    if ([409, 422].includes(detail.xhr.status)) { detail.shouldSwap = true; detail.isError = false; }
    if (detail.target === panel() && detail.xhr.status >= 400) after = null;
    return undefined;
  });
  document.addEventListener("htmx:oobAfterSwap", ({ detail }) => {
    if (detail.target?.id === "rows" || one("#rows") === detail.target) rowsCame();
    if (detail.target?.id === `hit-${open()?.dataset.row}`) show(); // the rows have grown
    if (focused && document.activeElement === document.body) document.getElementById(focused)?.focus({ preventScroll: true });
  });
  // What is typed before the panel has settled is typed already.
  document.addEventListener("htmx:afterSwap", ({ detail }) => { if (detail.target === panel()) formCame(); });
  document.addEventListener("htmx:afterSettle", ({ detail }) => { if (detail.target === panel()) panelCame(); });

  /* The panel ---------------------------------------------------------------------------------------------------- */
  let from = null, byKey = false; // where the focus goes back to; whether it was opened from the keyboard
  document.addEventListener("click", (event) => { byKey = event.detail === 0; }, true);
  const open = () => one(".ed-panel", panel());
  const mark = () => {
    const number = open()?.dataset.row;
    all("#rows [data-row]").forEach((row) => {
      const is = row.dataset.row === number;
      row.classList.toggle("is-open", is);
      is ? one(".row-link", row)?.setAttribute("aria-current", "true") : one(".row-link", row)?.removeAttribute("aria-current");
    });
    one("#editor").classList.toggle("has-panel", Boolean(open()));
    one("#editor").classList.toggle("has-palette", Boolean(open()?.classList.contains("palette")));
  };
  const unplace = () => { if (!open()?.dataset.place) all("#rows .place").forEach((each) => each.remove()); };
  const show = () => (one("#rows .is-open") ?? one("#rows .place"))?.scrollIntoView({ block: "nearest" });
  const formCame = () => { if (form()) { offerProperties(form()); watch(); clean = typed(); asked(form()); } };
  const panelCame = () => {
    mark();
    unplace();
    const address = open() ? open().dataset.address : "";
    if (location.search !== address) history.pushState(null, "", location.pathname + address);
    show();
    const first = one("[aria-invalid=true]", panel()) ?? one("[autofocus]", panel()) ?? (byKey && form() && one("input:not([type=hidden]), select", form()));
    if (first) first.focus();
    else if (document.activeElement === document.body && from) document.getElementById(from)?.focus({ preventScroll: true });
    if (after) { const go = after; after = null; setTimeout(go); }
  };
  const close = () => {
    const back = document.getElementById(`row-${open()?.dataset.row}`) ?? (from && document.getElementById(from));
    panel().replaceChildren();
    mark();
    unplace();
    history.pushState(null, "", location.pathname);
    htmx.trigger(document.body, "closed");
    back?.focus({ preventScroll: true });
  };
  document.addEventListener("click", (event) => {
    const link = event.target.closest("[data-close]");
    if (!link) { from = event.target.closest("#rows a, #rows summary, #head a, #head button")?.id || from; return; }
    event.preventDefault();
    link.dataset.close === "drop" ? close() : unlessDirty(close);
  });
  document.addEventListener("gone", ({ detail }) => { if (open()?.dataset.row === String(detail.value)) close(); });

  /* A form: fields that matter only with certain values of others; what is counted while one types ---------------- */
  const asked = (within) => all("[data-with]", within).forEach((each) => {
    const other = one(`[name="${each.dataset.with}"]:checked, [name="${each.dataset.with}"]:not([type=radio], [type=checkbox])`, within);
    const hides = other?.closest("[data-with]")?.hidden;
    each.hidden = Boolean(hides) || !each.dataset.values.split(" ").includes(other?.value ?? "");
  });
  let late = null;
  const watch = () => form().addEventListener("input", () => {
    asked(form());
    offerProperties(form());
    clearTimeout(late);
    late = setTimeout(() => { if (form()) htmx.trigger(form(), "typed"); }, 400);
  });

  /* Choosing: a field to type in, and below it what can be chosen ------------------------------------------------- */
  const choices = (chooser) => all("[data-pick]", chooser).filter((each) => each.offsetParent);
  const choose = (chooser, pick) => {
    all(".is-active", chooser).forEach((each) => each.classList.remove("is-active"));
    pick?.classList.add("is-active");
    pick?.scrollIntoView({ block: "nearest" });
    const input = one("input:not([type=hidden])", chooser);
    pick?.id ? input.setAttribute("aria-activedescendant", pick.id) : input.removeAttribute("aria-activedescendant");
  };
  const filter = (chooser, words) => {
    for (const pick of all("[data-pick]", chooser)) pick.closest("li").hidden = !words.every((word) => `${pick.textContent} ${pick.dataset.words ?? ""}`.toLowerCase().replaceAll("-", "").includes(word));
    for (const shelf of all(".shelf", chooser)) shelf.hidden = !one("li:not([hidden])", shelf);
    one(".nothing", chooser)?.toggleAttribute("hidden", Boolean(one("li:not([hidden])", chooser)));
    choose(chooser, choices(chooser)[0]);
  };
  document.addEventListener("input", ({ target }) => {
    const chooser = target.closest("[data-chooser]");
    if (chooser && "filter" in chooser.dataset) filter(chooser, target.value.toLowerCase().replaceAll("-", "").split(/\s+/).filter(Boolean));
    if (chooser !== target && chooser && "lookup" in chooser.dataset) one("[type=hidden]", chooser).value = ""; // typed, not picked
  });
  document.addEventListener("click", ({ target }) => {
    const pick = target.closest("[data-lookup] [data-pick]"), chooser = pick?.closest("[data-chooser]");
    if (!pick) return;
    const text = one("input:not([type=hidden])", chooser);
    one("[type=hidden]", chooser).value = pick.dataset.pick;
    text.value = pick.dataset.label;
    one(".options", chooser).replaceChildren();
    text.focus();
    chooser.dispatchEvent(new Event("input", { bubbles: true }));
  });
  document.addEventListener("mousedown", (event) => { if (event.target.closest(".options")) event.preventDefault(); });

  const chosenByKey = (event, chooser) => {
    const shown = choices(chooser), at = shown.findIndex((each) => each.classList.contains("is-active"));
    if (event.key === "Enter" && shown[at]) { event.preventDefault(); shown[at].click(); return true; }
    if (event.key === "Escape" && one(".options", chooser)?.childElementCount) { one(".options", chooser).replaceChildren(); return true; }
    if (!["ArrowDown", "ArrowUp"].includes(event.key) || !shown.length) return false;
    event.preventDefault();
    choose(chooser, shown[event.key === "ArrowDown" ? Math.min(at + 1, shown.length - 1) : Math.max(at - 1, 0)]);
    return true;
  };

  /* Keyboard ----------------------------------------------------------------------------------------------------- */
  const rows = () => all("#rows .row-link");
  const rowNow = () => document.activeElement?.closest("#rows [data-row]");
  const press = (does, row) => one(`[data-does="${does}"]`, row ?? document)?.click();
  const step = (by) => {
    const links = rows(), at = links.indexOf(rowNow() && one(".row-link", rowNow()));
    links[at < 0 ? (by > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + by, 0), links.length - 1)]?.focus();
  };
  const escape = () => {
    const menu = one(".menu[open]");
    if (menu) { menu.open = false; one("summary", menu).focus(); }
    else if (one(".panel-ask", panel())) one(".panel-ask", panel()).remove();
    else if (open()) unlessDirty(close);
  };
  const KEYS = {
    ArrowDown: () => step(1),
    ArrowUp: () => step(-1),
    a: () => press("add", rowNow() ?? one("#rows .is-open")),
    "/": () => one("#panel [data-search]")?.focus() ?? one("[data-search]")?.focus(),
    Delete: () => press("delete", rowNow() ?? undefined),
    "alt+ArrowDown": () => press("down", rowNow()),
    "alt+ArrowUp": () => press("up", rowNow()),
  };
  const alongMenu = (event, menu) => {
    const items = all(".menu-list :is(a, button)", menu), at = items.indexOf(document.activeElement);
    if (!["ArrowDown", "ArrowUp"].includes(event.key)) return false;
    event.preventDefault();
    items[(at + (event.key === "ArrowDown" ? 1 : -1) + items.length) % items.length]?.focus();
    return true;
  };
  document.addEventListener("keydown", (event) => {
    const target = event.target, chooser = target.closest("[data-chooser]"), menu = target.closest(".menu[open]");
    if ((event.ctrlKey || event.metaKey) && event.key === "s") {
      event.preventDefault();
      return form() ? form().requestSubmit() : press("save");
    }
    if (chooser && chosenByKey(event, chooser)) return undefined;
    if (event.key === "Escape") return escape();
    if (menu && alongMenu(event, menu)) return undefined;
    if (event.ctrlKey || event.metaKey || target.closest("input, select, textarea")) return undefined;
    const key = (event.altKey ? "alt+" : "") + event.key, does = KEYS[key];
    const needsRow = ["Delete", "alt+ArrowDown", "alt+ArrowUp"].includes(key);
    const elsewhere = target !== document.body && !target.closest("#editor");
    if (!does || elsewhere || (needsRow && !rowNow()) || (key.startsWith("Arrow") && target.closest("#panel"))) return undefined;
    event.preventDefault();
    return does();
  });
  document.addEventListener("click", ({ target }) => all(".menu[open]").forEach((menu) => { if (!menu.contains(target) || target.closest(".menu-list :is(a, button)")) menu.open = false; }));
  document.addEventListener("toggle", ({ target }) => {
    if (!target.matches?.(".menu") || !target.open) return;
    const list = one(".menu-list", target), main = target.closest(".ed-main");
    target.classList.remove("is-up");
    if (main && list.getBoundingClientRect().bottom > main.getBoundingClientRect().bottom) target.classList.add("is-up");
    one("a, button", list)?.focus({ preventScroll: true });
  }, true);

  /* Rows: dragged ones go back when the server refuses; a deleted one hands the focus to its neighbour -------------- */
  let drawn = "", neighbour = null;
  const putBack = () => { if (one("#rows").innerHTML !== drawn) { one("#rows").innerHTML = drawn; htmx.process(one("#rows")); mark(); } };
  const rowsCame = () => {
    for (const hit of all("#rows .hit")) if (!hit.childElementCount && counts.get(hit.id)) { hit.innerHTML = counts.get(hit.id); hit.classList.add("is-old"); }
    drawn = one("#rows").innerHTML;
    mark();
    show();
    if (neighbour && document.activeElement === document.body) document.getElementById(neighbour)?.focus();
    neighbour = null;
  };
  document.addEventListener("click", ({ target }) => {
    const row = target.closest("[data-does=delete]") && target.closest("[data-row]"), links = rows();
    if (row) { const at = links.indexOf(one(".row-link", row)); neighbour = (links[at + 1] ?? links[at - 1])?.id; }
  }, true);
  document.addEventListener("dropped", ({ detail }) => htmx.ajax("POST", `${one("#rows").dataset.address}${detail.row}/move/`, { source: one("#rows"), swap: "none", values: { to: detail.to, position: detail.position } }));

  addEventListener("DOMContentLoaded", () => {
    htmx.config.historyEnabled = false;
    drawn = one("#rows").innerHTML;
    formCame();
    panelCame();
  });
  addEventListener("load", () => show()); // the page is hidden until then
})();
