/* The Till page: the field for scanning keeps the focus, and nothing that a scanner sends while the page is at work is lost. */
addEventListener("DOMContentLoaded", () => {
  const form = document.getElementById("till"), scan = document.getElementById("scan"), scanned = document.getElementById("scanned");
  const waiting = [];
  let busy = false, returns = false;

  const next = () => {
    if (busy || !waiting.length) return;
    scanned.value = waiting.shift();
    form.requestSubmit();
  };
  const back = () => { if (!document.activeElement || document.activeElement === document.body) scan.focus(); };

  form.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) {
      event.preventDefault();
      document.getElementById("complete")?.click();
    } else if (event.key === "Enter" && event.target === scan) {
      event.preventDefault();
      if (!scan.value.trim()) return;
      waiting.push(scan.value);
      scan.value = "";
      next();
    } else if (event.key === "Enter" && event.target.matches("input")) {
      returns = true;
    } else if (event.key === "Escape") scan.focus();
  });
  document.addEventListener("keydown", (event) => { if (event.target === document.body && event.key.length === 1 && !event.ctrlKey && !event.metaKey && !event.altKey) scan.focus(); });
  document.addEventListener("click", () => setTimeout(back));

  // What is pressed is known from the event: the button itself may be gone, or be one that was pressed before.
  document.addEventListener("htmx:configRequest", ({ detail }) => detail.formData.set("do", detail.triggeringEvent?.type === "submit" ? detail.triggeringEvent.submitter?.value || "scan" : "count"));
  document.addEventListener("htmx:beforeRequest", () => { busy = true; document.getElementById("not-sent").hidden = true; });
  document.addEventListener("htmx:afterRequest", () => { busy = false; scanned.value = ""; });
  for (const name of ["htmx:responseError", "htmx:sendError", "htmx:timeout"]) document.addEventListener(name, () => { document.getElementById("not-sent").hidden = false; });
  document.addEventListener("htmx:afterSettle", () => {
    if (returns) scan.focus();
    returns = false;
    back();
    next();
  });
  back();
});
