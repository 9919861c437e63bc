// A table of very many rows: the browser holds those in view and some around them, and asks for others as they come into
// view. The box is as high as all rows together, so the scrollbar, the keys and assistive technology see the whole table.
"use strict";
(() => {
  const box = document.getElementById("rows");
  if (!box) return;
  const size = box.firstElementChild;
  const more = document.getElementById("rows-more");
  const path = box.dataset.rows;

  let total = 0; // rows in the whole table
  let from = 0; // rows before those that are here
  let to = 0; // and the last of them
  let height = 0; // of one row, in CSS pixels
  let head = 0; // of the head
  let asking = false;
  let version = document.getElementById("rows-state")?.dataset.version;

  function measure() {
    const table = size.firstElementChild;
    total = Number(table.dataset.total);
    from = Number(table.dataset.from);
    const body = table.tBodies?.[0];
    to = from + (body ? body.rows.length : 0);
    if (to > from) {
      height = body.getBoundingClientRect().height / (to - from);
      head = table.tHead.getBoundingClientRect().height;
    }
    size.style.height = total > 0 ? `${head + total * height}px` : "";
    table.style.marginTop = `${from * height}px`;
    document.getElementById("rows-pages")?.remove(); // the scrollbar leads everywhere
    const note = document.getElementById("rows-note");
    if (note.textContent !== table.dataset.note) note.textContent = table.dataset.note;
    box.hidden = total === 0 && !/[?&](status|reason|q)=/.test(path);
  }

  // What is in view, and where the next window begins and how long it is.
  function view() {
    const seen = Math.max(Math.ceil(box.clientHeight / height), 10);
    const first = Math.max(Math.min(Math.floor(box.scrollTop / height), total - 1), 0);
    return { first, seen, start: Math.max(first - seen, 0), count: Math.min(3 * seen, 200) };
  }

  function check() {
    if (asking || total === 0 || !height) return;
    const { first, seen, start, count } = view();
    const early = Math.max(first - (seen >> 1), 0);
    const late = Math.min(first + seen + (seen >> 1), total);
    if (early < from || late > to) ask(start, count);
  }

  // One question at a time: while it is under way the reader may have scrolled on, and the next one is for there.
  async function ask(start, count) {
    asking = true;
    box.setAttribute("aria-busy", "true");
    let ok = false;
    try {
      const url = new URL(path, location.href);
      url.searchParams.set("from", start);
      url.searchParams.set("count", count);
      const answer = await fetch(url, { headers: { "HX-Request": "true" }, cache: "no-store" });
      if (answer.status === 401) {
        location.assign("/login?next=" + encodeURIComponent(location.pathname));
        return;
      }
      ok = answer.ok;
      if (ok) take(await answer.text());
    } catch {
      ok = false;
    }
    asking = false;
    box.removeAttribute("aria-busy");
    if (ok) check();
    else setTimeout(check, 3000);
  }

  function take(html) {
    const template = document.createElement("template");
    template.innerHTML = html; // made by the server, with everything from outside escaped
    const within = document.activeElement?.closest?.("#rows tr");
    const focused = within && { row: within.ariaRowIndex ?? within.getAttribute("aria-rowindex"), link: [...within.querySelectorAll("a")].indexOf(document.activeElement) };
    size.replaceChildren(template.content.firstElementChild);
    measure();
    if (!focused) return;
    const link = size.querySelector(`tr[aria-rowindex="${focused.row}"]`)?.querySelectorAll("a")[focused.link];
    (link ?? box).focus({ preventScroll: true });
  }

  // Where the reader is stands in the address, so that coming back leads there.
  let noted;
  function note() {
    clearTimeout(noted);
    noted = setTimeout(() => {
      const url = new URL(location.href);
      const { first } = view();
      if (first > 0) url.searchParams.set("from", first);
      else url.searchParams.delete("from");
      url.hash = "";
      history.replaceState(history.state, "", url);
    }, 300);
  }

  let framed = false;
  box.addEventListener("scroll", () => {
    note();
    if (framed) return;
    framed = true;
    requestAnimationFrame(() => {
      framed = false;
      check();
    });
  }, { passive: true });
  new ResizeObserver(() => {
    if (total > 0) measure();
    check();
  }).observe(box);

  // Rows that are read while somebody looks at others would push them away: they are shown when asked for.
  function renew() {
    more.hidden = true;
    if (asking) {
      setTimeout(renew, 50);
      return;
    }
    const { start, count } = height ? view() : { start: 0, count: 100 };
    ask(start, count);
  }
  document.addEventListener("htmx:after:swap", () => {
    const now = document.getElementById("rows-state")?.dataset.version;
    if (now === version) return;
    version = now;
    if (box.scrollTop > 0 && !box.hidden) more.hidden = false;
    else renew();
  });
  more.addEventListener("click", () => {
    box.scrollTop = 0;
    renew();
    box.focus({ preventScroll: true });
  });

  // A row is opened whole, over the table, by its number or anywhere on it.
  const dialog = document.getElementById("row-full");
  box.addEventListener("click", async (e) => {
    const link = e.target.closest("tr")?.querySelector("[data-row]");
    if (!link || e.ctrlKey || e.metaKey || e.shiftKey || e.target.closest("a:not([data-row])") || !window.getSelection().isCollapsed) return;
    e.preventDefault();
    const answer = await fetch(link.href, { headers: { "HX-Request": "true" }, cache: "no-store" }).catch(() => null);
    if (!answer?.ok) {
      location.assign(link.href);
      return;
    }
    document.getElementById("row-content").innerHTML = await answer.text(); // as above
    if (e.target !== link && box.contains(link)) link.focus({ preventScroll: true });
    dialog.showModal();
  });

  measure();
  if (from > 0) box.scrollTop = from * height;
  check();
})();
