// A table of very many rows: the browser holds those in view and some around them, and asks for others as they come into
// view. The box is as high as all rows together, so the scrollbar, the keys and assistive technology see the whole table.
"use strict";
(() => {
  const box = document.getElementById("rows");
  if (!box) return;
  const size = box.firstElementChild;
  const $ = (selector) => size.querySelector(selector);
  const more = document.getElementById("rows-more");
  const path = box.dataset.rows;

  let total = 0; // rows in the whole table
  let from = 0; // rows before those that are here
  let to = 0; // and the last of them
  let height = 0; // of one row, in CSS pixels
  let head = 0; // of the head
  let asking = false;
  let version = document.getElementById("rows-state")?.dataset.version;

  // Rows are all of one height, which is looked up once, and again when the window or the text size changes: asking the
  // browser for it costs a layout.
  function measure() {
    const body = $("tbody");
    if (!body?.rows.length) return;
    height = body.getBoundingClientRect().height / body.rows.length;
    head = $("thead").getBoundingClientRect().height;
  }

  // Puts what is here where it belongs.
  function place() {
    const table = size.firstElementChild;
    total = Number(table.dataset.total);
    from = Number(table.dataset.from);
    to = from + (table.tBodies?.[0].rows.length ?? 0);
    box.hidden = total === 0 && !path.includes("?");
    if (!height) measure();
    size.style.height = total > 0 ? `${head + total * height}px` : "";
    table.style.marginTop = `${from * height}px`;
    document.getElementById("rows-pages")?.remove(); // the scrollbar leads everywhere
    const note = document.getElementById("rows-note");
    if (note.textContent !== table.dataset.note) note.textContent = table.dataset.note;
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
    if (early < from || late > to) ask(start, Math.min(start + count, total));
  }

  // Asks for the rows from start up to end that are not here. One question at a time: while it is under way the reader may
  // have scrolled on, and the next one is for there.
  async function ask(start, end, anew = false) {
    asking = true;
    const below = !anew && start >= from && start < to && end > to;
    const above = !anew && end > from && end <= to && start < from;
    const missing = [below ? to : start, above ? from : end];
    let ok = false;
    try {
      const url = new URL(path, location.href);
      url.searchParams.set("from", missing[0]);
      url.searchParams.set("count", missing[1] - missing[0]);
      const answer = await fetch(url, { headers: { "HX-Request": "true" }, cache: "no-store" });
      if (answer.status === 401) {
        location.assign("/login?next=" + encodeURIComponent(location.pathname));
        return;
      }
      ok = answer.ok;
      if (ok) take(await answer.text(), start, end, below || above);
    } catch {
      ok = false; // no answer, or none that is understood: asked again in a while
    }
    asking = false;
    if (ok) requestAnimationFrame(check);
    else setTimeout(check, 3000);
  }

  function take(html, start, end, part) {
    const template = document.createElement("template");
    template.innerHTML = html; // made by the server, with everything from outside escaped
    const fresh = template.content.firstElementChild;
    const focused = document.activeElement?.closest?.("#rows tr")?.getAttribute("aria-rowindex");
    const table = size.firstElementChild;
    if (part && fresh.dataset.total === table.dataset.total && $("thead").textContent === fresh.tHead?.textContent) join(table, fresh, start, end);
    else size.replaceChildren(fresh);
    place();
    if (!focused || box.contains(document.activeElement)) return;
    ($(`tr[aria-rowindex="${focused}"] a`) ?? box).focus({ preventScroll: true });
  }

  // The rows that stay are left alone, and those that went out of the window are taken out.
  function join(table, fresh, start, end) {
    const body = table.tBodies[0];
    const rows = [...fresh.tBodies[0].rows];
    if (Number(fresh.dataset.from) < from) body.prepend(...rows);
    else body.append(...rows);
    for (const row of [...body.rows]) {
      const at = Number(row.getAttribute("aria-rowindex")) - 2;
      if (at < start || at >= end) row.remove();
    }
    table.dataset.from = start;
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
    measure();
    place();
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
    ask(start, start + count, true);
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

  place();
  if (from > 0) box.scrollTop = from * height;
  check();
})();
