// What the browser does by itself: rows that arrive, the link state, keys, ages of times. No data leaves through here.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const longestList = 300; // rows; a feed that grows all day is cut at its end

  // ---- rows that arrive -------------------------------------------------------------------------------------------
  // A row that is on the page is changed in place. A new one is put in by its number: at once where the reader is at
  // the top and not busy with the list, else when they ask for it.
  let held = [];

  const list = () => $("#feed[data-top]");
  const key = (row) => Number(row.dataset.key);
  const rows = (of) => [...of.children].filter((e) => e.dataset.key);
  const busy = () => window.scrollY > 80 || $("dialog[open]") || document.hidden && held.length > 0
    || list().contains(document.activeElement) || !window.getSelection().isCollapsed;

  function insert(items) {
    const into = list();
    const added = [];
    for (const item of items.filter((i) => i.dataset.key)) {
      const before = rows(into).find((r) => key(r) < key(item)) ?? $("#older");
      into.insertBefore(item, before);
      item.classList.add("fresh");
      added.push(item);
    }
    for (const heading of items.filter((i) => i.classList.contains("day"))) {
      const first = rows(into).find((r) => r.dataset.day === heading.dataset.day);
      if (!first) continue;
      const old = document.getElementById(heading.id);
      old?.remove();
      into.insertBefore(heading, first);
    }
    const all = rows(into);
    for (const row of all.slice(longestList)) row.remove();
    return added;
  }

  function takeRows(target, fragment, morph) {
    const items = [...fragment.children];
    const changed = [];
    const fresh = [];
    for (const item of items) {
      const there = item.dataset.key && document.getElementById(item.id);
      const waiting = held.findIndex((h) => h.id === item.id);
      if (there) {
        changeInPlace(there, item, morph);
        changed.push(there);
      } else if (waiting >= 0) {
        held[waiting] = item;
      } else if (item.dataset.key && !item.hasAttribute("data-fits-not")) {
        fresh.push(item);
      } else if (item.classList.contains("day")) {
        fresh.push(item);
      }
    }
    const news = fresh.filter((i) => i.dataset.key).length;
    if (news === 0) return changed;
    if (busy()) {
      held.push(...fresh);
      showHeld();
      return changed;
    }
    if (caughtUp(news)) say(`${news} ${news === 1 ? "event" : "events"} while you were away`);
    return changed.concat(insert(fresh));
  }

  function changeInPlace(there, item, morph) {
    const focused = there.contains(document.activeElement) ? document.activeElement.id : "";
    const wrapper = document.createDocumentFragment();
    wrapper.append(item);
    morph(there, wrapper, false);
    if (focused && !document.getElementById(focused)) $(".name", there)?.focus({ preventScroll: true });
  }

  function showHeld() {
    const pill = $("#new-rows");
    const n = held.filter((i) => i.dataset.key).length;
    pill.hidden = n === 0;
    pill.textContent = `${n} new`;
  }

  function releaseHeld() {
    const items = held;
    held = [];
    showHeld();
    for (const row of insert(items)) htmx.process(row);
  }

  document.addEventListener("click", (e) => {
    if (!e.target.closest("#new-rows")) return;
    window.scrollTo({ top: 0 });
    releaseHeld();
    $("#feed .row .name")?.focus({ preventScroll: true });
  });
  document.addEventListener("scrollend", () => {
    if (held.length > 0 && list() && !busy()) releaseHeld();
  });

  let morphing;
  htmx.registerExtension("carebell", {
    init: (api) => { morphing = api.morph; },
    handle_swap: (style, target, fragment) => style === "rows" && takeRows(target, fragment, morphing),
  });

  // A row whose button is gone after a click keeps the focus.
  document.addEventListener("htmx:after:swap", (e) => {
    const row = e.detail.ctx?.sourceElement?.closest?.(".row");
    if (row && document.activeElement === document.body) $(".name, .link-button", row)?.focus({ preventScroll: true });
  });

  // ---- link state -------------------------------------------------------------------------------------------------
  let lostAt = null;
  let catchingUp = false;

  function caughtUp() {
    const was = catchingUp;
    catchingUp = false;
    return was;
  }

  function link(state, text) {
    const el = $("#link-state");
    if (!el || el.dataset.state === state && $(".text", el).textContent === text) return;
    el.dataset.state = state;
    $(".dot", el).classList.toggle("off", state !== "live");
    $(".text", el).textContent = text;
  }

  const clock = (at) => at.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });

  document.addEventListener("htmx:ws:after:connection", () => {
    catchingUp = lostAt !== null;
    lostAt = null;
    link("live", "Live");
  });
  document.addEventListener("htmx:ws:close", (e) => {
    if (e.detail.code === 1008) {
      link("signed-out", "Signed out");
      location.assign("/login?next=" + encodeURIComponent(location.pathname));
      return;
    }
    lostAt ??= new Date();
    link("reconnecting", "Reconnecting");
  });
  setInterval(() => {
    if (lostAt && Date.now() - lostAt > 10000) link("stale", `Stale since ${clock(lostAt)}`);
  }, 1000);
  document.addEventListener("htmx:ws:after:message:incoming", (e) => {
    const seq = $("#live-seq")?.dataset.seq;
    if (!seq) return;
    const url = new URL(e.detail.connection.url);
    url.searchParams.set("since", seq);
    e.detail.connection.url = url.toString(); // a reconnect resumes here
    catchingUp = false;
  });

  // ---- times ------------------------------------------------------------------------------------------------------
  function ago(ms) {
    const s = Math.floor(ms / 1000);
    if (s < 45) return "just now";
    if (s < 3600) return `${Math.max(1, Math.floor(s / 60))} min ago`;
    if (s < 172800) return `${Math.floor(s / 3600)} h ago`;
    return `${Math.floor(s / 86400)} days ago`;
  }
  setInterval(() => {
    for (const t of document.querySelectorAll("time[data-ago]")) {
      const ms = Date.now() - Date.parse(t.dateTime);
      if (ms < 0) continue;
      const text = ago(ms);
      if (t.textContent !== text) t.textContent = text;
    }
  }, 20000);

  // ---- small things -----------------------------------------------------------------------------------------------
  let quiet;
  function say(text) {
    const toast = $("#toast");
    if (!toast) return;
    toast.textContent = text;
    clearTimeout(quiet);
    quiet = setTimeout(() => { toast.textContent = ""; }, 6000);
  }

  document.addEventListener("click", (e) => {
    const copy = e.target.closest("[data-copy]");
    if (copy) {
      const done = () => say("Copied");
      navigator.clipboard?.writeText(copy.dataset.copy).then(done, () => say("This browser does not let pages copy"));
      return;
    }
    const open = e.target.closest("[data-open]");
    if (open) document.getElementById(open.dataset.open)?.showModal();
  });

  document.addEventListener("htmx:error", () => say("That did not reach Carebell. Nothing was changed; try again."));

  // ---- keys -------------------------------------------------------------------------------------------------------
  const keysOff = "carebell keys off";
  const box = $("#keys-on");
  if (box) {
    box.checked = !localStorage.getItem(keysOff);
    box.addEventListener("change", () => box.checked ? localStorage.removeItem(keysOff) : localStorage.setItem(keysOff, "1"));
  }

  function move(step) {
    const all = [...document.querySelectorAll("main .row")];
    const at = all.findIndex((r) => r.contains(document.activeElement));
    const to = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    const focus = to && ($(".name", to) ?? $("button", to));
    focus?.focus();
    to?.scrollIntoView({ block: "nearest" });
  }
  function press(end) {
    document.activeElement.closest?.(".row")?.querySelector(`[id$="-${end}"]`)?.click();
  }

  const go = { f: "/", p: "/patients" };
  let wentG = 0;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea, select") || $("dialog[open]")) return;
    if (localStorage.getItem(keysOff) && e.key !== "?") return;
    if (Date.now() - wentG < 1200 && go[e.key]) {
      location.assign(go[e.key]);
      return;
    }
    switch (e.key) {
      case "j": move(1); break;
      case "k": move(-1); break;
      case "s": press("seen"); break;
      case "e": press("done"); break;
      case "u": press("undo"); break;
      case "g": wentG = Date.now(); break;
      case "/": $("[data-search]")?.focus(); e.preventDefault(); break;
      case "?": $("#keys")?.showModal(); break;
    }
  });
})();
