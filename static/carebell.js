// What the browser does by itself: rows that arrive, the link state, keys, ages of times. No data leaves through here.
"use strict";
(() => {
  const $ = (selector, from = document) => from.querySelector(selector);
  const longestList = 300; // rows; a feed that grows all day is cut at its end

  // ---- the hand over a list ---------------------------------------------------------------------------------------
  // While a pointer is over the list, a finger on it or a key at work in it, its rows hold still. A pointer that rests for
  // long is nobody's hand any more.
  const restsAfter = 60000; // ms
  const pressAfter = 600; // ms: a press so soon after rows moved, or after another press, was meant for something else
  let pointer = null; // where it is, and since when
  let finger = false;
  let byKeys = true; // the last thing done was not done by a pointer
  let movedAt = -Infinity;
  let pressed = { at: -Infinity, row: null };
  const rowsMoved = () => { movedAt = performance.now(); };

  const pointed = () => pointer && performance.now() - pointer.at < restsAfter && document.elementFromPoint(pointer.x, pointer.y);
  const inHand = () => Boolean(list()) && (finger || list().contains(pointed() || null));

  document.addEventListener("pointermove", (e) => {
    if (e.pointerType === "touch") return;
    const was = inHand();
    pointer = { x: e.clientX, y: e.clientY, at: performance.now() };
    if (was && !inHand()) releaseWhenFree();
  }, { passive: true });
  document.documentElement.addEventListener("pointerleave", () => { pointer = null; });
  document.addEventListener("touchstart", (e) => {
    clearTimeout(lifting);
    finger = Boolean(list()?.contains(e.target));
  }, { passive: true });
  // A finger that was lifted may come again at once, and until then the page may go on scrolling.
  const fingerAgain = 1500; // ms
  let lifting;
  for (const lifted of ["touchend", "touchcancel"]) {
    document.addEventListener(lifted, () => {
      clearTimeout(lifting);
      lifting = setTimeout(() => { finger = false; releaseWhenFree(); }, fingerAgain);
    }, { passive: true });
  }
  document.addEventListener("keydown", () => { byKeys = true; }, true);
  document.addEventListener("pointerdown", () => { byKeys = false; }, true);

  // A press that comes at once after rows moved was meant for the row that was there before; one that comes at once after
  // another is the second half of a double click. Neither is taken.
  document.addEventListener("click", (e) => {
    const on = e.detail > 0 && e.target.closest?.("[data-live-list] .row :is(a, button), [data-keys] button");
    if (!on) return;
    const now = performance.now();
    const row = on.closest(".row, [data-keys]");
    const moved = now - movedAt < pressAfter && list()?.contains(on);
    const again = now - pressed.at < pressAfter && on.matches("button") && row.id === pressed.row;
    if (moved || again) {
      e.preventDefault();
      e.stopImmediatePropagation();
      if (moved && !again) say("The rows had just moved, so that click did nothing. Click again.");
      return;
    }
    if (on.matches("button")) pressed = { at: now, row: row.id };
  }, true);

  // What changes above a row that somebody points at, or reads, does not push that row away: the page scrolls by as much.
  let anchor = null;
  function dropAnchor() {
    const rowAt = (e) => e && list()?.contains(e) ? e.closest(".row") : null;
    const row = rowAt(byKeys ? document.activeElement : null) ?? rowAt(pointed())
      ?? (window.scrollY > 0 && list() ? rows(list()).find((r) => r.getBoundingClientRect().bottom > 0) : null);
    anchor = row ? { row, top: row.getBoundingClientRect().top } : null;
  }
  function holdAnchor() {
    if (anchor?.row.isConnected) {
      const off = () => anchor.row.getBoundingClientRect().top - anchor.top;
      if (Math.abs(off()) >= 1) window.scrollBy({ top: off(), behavior: "instant" });
      if (Math.abs(off()) >= 1) rowsMoved(); // at the top of the page there is nothing to scroll by
    }
    anchor = null;
  }
  document.addEventListener("htmx:before:swap", dropAnchor);
  document.addEventListener("htmx:after:swap", holdAnchor);

  // ---- rows that arrive -------------------------------------------------------------------------------------------
  // A row that is on the page is changed in place. A new one is put in by its time and number: at once where the reader
  // is at the top and not busy with the list, or where there is no pill to say that it waits; else when they ask for it.
  let held = [];
  let heldList = null; // the whole list anew, where the page is too far behind for rows

  // The one list of a page that takes rows live; a page of older rows takes none.
  const list = () => $("[data-live-list][data-top]");
  const key = (row) => Number(row.dataset.key);
  const isAbove = (a, b) => (Number(a.dataset.at ?? 0) - Number(b.dataset.at ?? 0) || key(a) - key(b)) > 0;
  const rows = (of) => [...of.children].filter((e) => e.dataset.key);
  const at = (id, of) => [...of.children].find((e) => e.id === id);
  const waiting = () => held.length > 0 || heldList;
  const busy = () => inHand() || $("#new-rows") && (window.scrollY > 80 || $("dialog[open]") || document.hidden && waiting()
    || byKeys && list().contains(document.activeElement) || !window.getSelection().isCollapsed);

  // A row that is older than all there are comes by scrolling.
  const belongs = (item, into) => !at("older", into) || rows(into).some((r) => isAbove(item, r));

  function insert(items, into = list()) {
    const added = [];
    for (const item of items.filter((i) => i.dataset.key)) {
      if (at(item.id, into)) continue;
      const before = rows(into).find((r) => isAbove(item, r)) ?? at("older", into) ?? null;
      if (before) rowsMoved();
      into.insertBefore(item, before);
      item.classList.add("fresh");
      added.push(item);
    }
    headings(items, into);
    return added;
  }

  function headings(items, into) {
    for (const heading of items.filter((i) => i.classList.contains("day"))) {
      at(heading.id, into)?.remove();
      into.prepend(heading);
    }
    tidyDays(into);
  }

  // A row that turns out to have happened at another time than it was put in by goes where it belongs, as soon as nobody's
  // hand is over the list.
  let unsettled = [];
  function settle(row, before, items) {
    if ((row.dataset.at ?? before) === before || row.parentElement !== list()) return;
    if (inHand()) {
      unsettled.push({ row, before, items });
      return;
    }
    rowsMoved();
    const focused = row.contains(document.activeElement) ? document.activeElement : null;
    const next = rows(list()).find((r) => r !== row && isAbove(row, r)) ?? at("older", list()) ?? null;
    list().insertBefore(row, next);
    focused?.focus({ preventScroll: true });
    headings(items, list());
  }

  // Each day has one heading, above its first row. When a new day begins, the day before is no longer today.
  function tidyDays(into) {
    const days = new Set();
    let today = false;
    for (const row of rows(into)) {
      if (days.has(row.dataset.day)) continue;
      days.add(row.dataset.day);
      const [heading, ...more] = into.querySelectorAll(`.day[data-day="${row.dataset.day}"]`);
      for (const again of more) again.remove();
      if (!heading) continue;
      if (row.previousElementSibling !== heading) into.insertBefore(heading, row);
      if (today) heading.textContent = heading.textContent.replace("Today, ", "");
      today ||= heading.textContent.startsWith("Today, ");
    }
    for (const heading of into.querySelectorAll(".day")) if (!days.has(heading.dataset.day)) heading.remove();
  }

  // What is cut off at the end can be had again by scrolling there.
  function prune(into) {
    const all = rows(into);
    if (all.length <= longestList || !$("#new-rows")) return;
    for (const row of all.slice(longestList)) row.remove();
    $("#older")?.remove();
    tidyDays(into);
    const url = new URL(location.href);
    url.searchParams.set("before", all[longestList - 1].dataset.key);
    const from = url.pathname + url.search;
    const more = document.createElement("li");
    more.className = "more";
    more.id = "older";
    const link = document.createElement("a");
    const how = { "href": from, "hx-get": from, "hx-trigger": "intersect once, click", "hx-target": "closest li", "hx-swap": "outerHTML", "hx-select": `#${into.id} > li` };
    for (const name in how) link.setAttribute(name, how[name]);
    link.textContent = into.dataset.liveList;
    more.append(link);
    into.append(more);
    htmx.process(more);
  }

  function takeRows(target, fragment, morph) {
    const items = [...fragment.children];
    const changed = [];
    const fresh = [];
    for (const item of items) {
      const there = item.dataset.key && document.getElementById(item.id);
      const later = held.findIndex((h) => h.id === item.id);
      if (heldList && item.dataset.key) at(item.id, heldList)?.replaceWith(item.cloneNode(true));
      if (there) {
        const before = there.dataset.at;
        changeInPlace(there, item, morph);
        settle(there, before, items);
        changed.push(there);
      } else if (later >= 0) {
        held[later] = item;
      } else if (heldList && at(item.id, heldList)) {
        continue;
      } else if (item.dataset.key && !item.hasAttribute("data-fits-not") && list() && belongs(item, list())) {
        fresh.push(item);
      } else if (item.classList.contains("day")) {
        fresh.push(item);
      }
    }
    const news = fresh.filter((i) => i.dataset.key).length;
    if (gap) gap.rows += news;
    if (news === 0 || !list()) return changed; // a page of older rows gets no new ones
    if (busy()) {
      held.push(...fresh);
      showHeld();
      return changed;
    }
    if (heldList) {
      held.push(...fresh);
      releaseHeld();
      return changed;
    }
    fresh.push(...held);
    dropHeld();
    const added = insert(fresh);
    prune(list());
    return changed.concat(added);
  }

  // The list anew takes the place of the old one only where nobody reads that. Until then, the rows that both have are
  // changed in place.
  function takeWhole(fragment, morph) {
    const whole = document.createElement("ul");
    whole.append(fragment);
    if (gap) {
      const newest = Math.max(0, ...rows(list()).map(key));
      gap.rows = rows(whole).filter((r) => key(r) > newest).length;
      gap.more = gap.rows > 0 && gap.rows === rows(whole).length;
    }
    if (!busy()) {
      dropHeld();
      return replaceList(whole, morph);
    }
    const changed = [];
    for (const row of rows(whole)) {
      const there = document.getElementById(row.id);
      if (!there) continue;
      changeInPlace(there, row.cloneNode(true), morph);
      changed.push(there);
    }
    heldList = whole;
    held = [];
    showHeld();
    return changed;
  }

  function replaceList(whole, morph) {
    rowsMoved();
    const content = document.createDocumentFragment();
    content.append(...whole.childNodes);
    morph(list(), content, true);
    return [...list().children];
  }

  function changeInPlace(there, item, morph) {
    const focused = there.contains(document.activeElement) ? document.activeElement.id : "";
    const wrapper = document.createDocumentFragment();
    wrapper.append(item);
    morph(there, wrapper, false);
    if (focused && !document.getElementById(focused)) focusRow(there);
  }

  // A row takes the focus at its patient, or at what can be done with it.
  const handle = (row) => $("a.name", row) ?? $("a, button", row);
  const focusRow = (row) => row && handle(row)?.focus({ preventScroll: true });

  function showHeld() {
    const pill = $("#new-rows");
    if (!pill) return;
    const whole = heldList ? rows(heldList) : [];
    const unseen = whole.filter((r) => !document.getElementById(r.id)).length;
    const n = unseen + held.filter((i) => i.dataset.key).length;
    const more = unseen > 0 && unseen === whole.length ? "+" : ""; // there may be new ones beyond the list, too
    pill.hidden = !waiting();
    pill.textContent = n > 0 ? `${n}${more} new` : "List changed";
    tellHeld(pill.hidden ? "" : pill.textContent);
  }

  // Whoever listens instead of looking is told now and then, not at every row.
  const tellAfter = 3000; // ms
  let telling = null;
  let toTell = "";
  function tellHeld(text) {
    toTell = text;
    telling ??= setTimeout(() => {
      telling = null;
      const said = $("#new-rows-said");
      if (said && said.textContent !== toTell) said.textContent = toTell;
    }, tellAfter);
  }

  function dropHeld() {
    held = [];
    heldList = null;
    showHeld();
  }

  function releaseHeld() {
    const items = held;
    const whole = heldList;
    dropHeld();
    if (whole) replaceList(whole, morphing);
    for (const row of insert(items)) htmx.process(row);
    if (whole) htmx.process(list());
    prune(list());
  }

  document.addEventListener("click", (e) => {
    if (!e.target.closest("#new-rows")) return;
    window.scrollTo({ top: 0 });
    releaseHeld();
    // Whoever came by keyboard goes on in the list; after a click the reader is idle, and rows may slide in.
    if (e.detail === 0) focusRow($(".row", list()));
    else $("#main").focus({ preventScroll: true });
  });

  // What waits comes as soon as nobody reads the list or works in it.
  function releaseWhenFree() {
    if (!list() || busy()) return;
    const late = unsettled.filter(({ row }) => row.isConnected);
    unsettled = [];
    for (const { row, before, items } of late) settle(row, before, items);
    if (waiting()) releaseHeld();
  }
  for (const moved of ["scrollend", "visibilitychange"]) document.addEventListener(moved, releaseWhenFree);
  setInterval(releaseWhenFree, 1000);

  let morphing;
  htmx.registerExtension("carebell", {
    init: (api) => { morphing = api.morph; },
    handle_swap: (style, target, fragment) => style === "rows" ? takeRows(target, fragment, morphing)
      : style === "whole" && takeWhole(fragment, morphing),
  });
  htmx.config.morphIgnore.push("open"); // what a reader has opened stays open

  // A list that is to be drawn anew is not taken from under a reader.
  document.addEventListener("htmx:before:swap", (e) => {
    for (const task of list() ? e.detail.tasks ?? [] : []) {
      const spec = task.swapSpec;
      if ((task.target?.id ?? task.target?.slice?.(1)) !== list().id || (spec?.style ?? spec) !== "innerMorph") continue;
      if (spec.style) spec.style = "whole";
      else task.swapSpec = "whole";
    }
  });

  // The answer to a request is dropped where what was pushed meanwhile is as new. Where the answer is newer, what was
  // pushed before it and comes after it does not take its row back.
  const answered = new Map(); // id of a row → the last change that its answer has
  document.addEventListener("htmx:before:swap", (e) => {
    const seq = Number(e.detail.ctx?.response?.headers?.get?.("Carebell-Seq") ?? NaN);
    const row = e.detail.ctx?.sourceElement?.closest?.(".row");
    if (seq <= Number($("#live-seq")?.dataset.seq ?? 0)) e.preventDefault();
    else if (seq && row) answered.set(row.id, seq);
  });
  document.addEventListener("htmx:before:swap", (e) => {
    const fragments = (e.detail.tasks ?? []).map((t) => t.fragment).filter(Boolean);
    const pushed = fragments.map((f) => $("#live-seq", f)).find(Boolean);
    if (!pushed) return;
    for (const [id, seq] of answered) {
      if (Number(pushed.dataset.seq) >= seq) answered.delete(id);
      else for (const f of fragments) f.querySelector(`#${id}`)?.replaceWith(document.getElementById(id)?.cloneNode(true) ?? "");
    }
  });

  document.addEventListener("htmx:after:swap", (e) => {
    if ($("[data-live-list]")) tidyDays($("[data-live-list]")); // older rows come with a heading of a day that may have one
    // A row whose button is gone after a click keeps the focus.
    const row = e.detail.ctx?.sourceElement?.closest?.(".row");
    if (row && document.activeElement === document.body) focusRow(row);
  });

  // ---- link state -------------------------------------------------------------------------------------------------
  let lostAt = null;
  let gap = null; // what came since the line was back: { rows, more, stale }
  const staleAfter = 10000; // ms without a line
  const silentAfter = 9000; // ms without a word from the server, which says something every 4 s

  function link(state, text) {
    const el = $("#link-state");
    if (!el || el.dataset.state === state && $(".text", el).textContent === text) return;
    el.dataset.state = state;
    $(".dot", el).classList.toggle("off", state !== "live");
    $(".text", el).textContent = text;
  }

  // htmx begins as soon as it is there, which on a slow line is before its socket part or this file is. A socket that
  // nobody here has heard of is missing, or was opened too early: its rows could not be put in. It is opened anew.
  let heardOfSocket = false;
  document.addEventListener("htmx:ws:before:connection", () => { heardOfSocket = true; }, { once: true });
  function reopenUnheard() {
    const early = $("#live");
    if (heardOfSocket || !early) return;
    const anew = early.cloneNode(true);
    early.replaceWith(anew);
    htmx.process(anew);
  }
  document.addEventListener("DOMContentLoaded", () => setTimeout(reopenUnheard, 100));

  // The practice's clock, by its own time and in its own zone, whatever this computer has.
  const { zone, now } = document.body.dataset;
  const ahead = now ? Number(now) - Date.now() : 0; // ms
  const clock = (at) => new Date(at.getTime() + ahead).toLocaleTimeString("en-US", { hour: "2-digit", minute: "2-digit", hourCycle: "h23", timeZone: zone });

  let heardAt = performance.now();
  let line = null; // the socket
  document.addEventListener("htmx:ws:after:connection", (e) => {
    line = e.detail.connection?.socket ?? line;
    heardAt = performance.now();
    if (lostAt) gap = { rows: 0, more: false, stale: Date.now() - lostAt > staleAfter };
    lostAt = null;
    link("live", "Live");
  });
  document.addEventListener("htmx:ws:before:message:incoming", (e) => {
    heardAt = performance.now();
    line = e.detail.connection?.socket ?? line;
    if (e.detail.message?.data === "<!-- beat -->") e.detail.cancelled = true;
  });

  // A line that breaks without a word looks alive for minutes. It is given up, so that a new one is opened.
  function checkLine() {
    if (!line || lostAt || performance.now() - heardAt < silentAfter) return;
    lostAt = new Date();
    link("reconnecting", "Reconnecting");
    line.close();
  }

  function sayGap() {
    if (!gap) return;
    const { rows: n, more, stale } = gap;
    gap = null;
    if (n > 0) say(`${n}${more ? " or more" : ""} ${n === 1 ? "event" : "events"} while you were away`);
    else if (stale) say(list() ? "Connected again. Nothing came meanwhile." : "Connected again. This page is up to date.");
  }

  document.addEventListener("htmx:ws:close", (e) => {
    if (e.detail.code === 1008) {
      askWhy();
      return;
    }
    if (lostAt) askWhetherSignedIn();
    lostAt ??= new Date();
    if (Date.now() - lostAt <= staleAfter) link("reconnecting", "Reconnecting");
  });

  // ---- the end of a login -------------------------------------------------------------------------------------------
  // What a person was at waits in this window until they are back: the page with its choices (not what was typed: that
  // may be a name or an id), and the mark that was not taken, by the id of its button.
  const returning = "carebell return";
  const me = () => $(".side .email")?.textContent.trim();
  let pressedLast = null; // the button of the form that was sent last
  let meant = null; // the id of the one whose request said that the login is over
  document.addEventListener("submit", (e) => { pressedLast = e.submitter; }, true);

  function signedOut(why = "out") {
    link("signed-out", "Signed out");
    const choices = new URLSearchParams(location.search);
    for (const typed of ["q", "patient", "request", "before", "why"]) choices.delete(typed);
    if (me()) sessionStorage.setItem(returning, JSON.stringify({ who: me(), path: location.pathname, choices: choices.toString(), mark: meant, at: Date.now() }));
    location.assign("/login?" + new URLSearchParams({ next: location.pathname, why }));
  }

  // A socket that is closed because the login is over does not say why; the sign-in does.
  async function askWhy() {
    const answer = await fetch("/login", { cache: "no-store", redirect: "manual" }).catch(() => null);
    signedOut(answer?.headers.get("Carebell-Signed-Out") ?? undefined);
  }

  // A socket that is refused does not say whether that is it. The same address does, and asking it is no activity of the person.
  async function askWhetherSignedIn() {
    const answer = await fetch("/live", { cache: "no-store" }).catch(() => null); // no answer: no link
    if (answer?.status === 401) signedOut(answer.headers.get("Carebell-Signed-Out") ?? undefined);
  }

  // Back again: the same person gets the choices back, and is asked about the mark. Nobody else is.
  function comeBack() {
    const left = me() && JSON.parse(sessionStorage.getItem(returning));
    if (!left) return;
    if (left.who !== me() || left.path !== location.pathname || Date.now() - left.at > 12 * 3600 * 1000) {
      sessionStorage.removeItem(returning);
      return;
    }
    if (left.choices && !location.search) {
      location.replace(left.path + "?" + left.choices);
      return;
    }
    sessionStorage.removeItem(returning);
    if (left.mark) askForMark(left.mark);
  }

  function askForMark(id) {
    const button = document.getElementById(id);
    if (!button) {
      say("You are back. What you were about to mark is not in this list any more: nothing was marked.");
      return;
    }
    const ask = document.createElement("dialog");
    ask.id = "meant";
    ask.setAttribute("aria-labelledby", "meant-title");
    const part = (name, text, into) => {
      const e = document.createElement(name);
      e.textContent = text;
      into.append(e);
      return e;
    };
    part("h2", "You are back", ask).id = "meant-title";
    part("p", "You were signed out before this was saved:", ask);
    part("p", button.getAttribute("aria-label") ?? button.textContent, ask);
    const buttons = document.createElement("div");
    buttons.className = "buttons";
    const no = part("button", "Leave it", buttons);
    const yes = part("button", "Save it now", buttons);
    no.className = "btn";
    yes.className = "btn main";
    ask.append(buttons);
    document.body.append(ask);
    no.addEventListener("click", () => ask.close());
    yes.addEventListener("click", () => {
      ask.close();
      const now = document.getElementById(id);
      if (now) now.click();
      else say("Somebody changed it meanwhile, so nothing was marked. Look at it again.");
    });
    ask.addEventListener("close", () => ask.remove());
    ask.showModal();
  }
  document.addEventListener("DOMContentLoaded", comeBack);

  setInterval(() => {
    checkLine();
    const stale = lostAt && Date.now() - lostAt > staleAfter;
    if (stale) link("stale", `Stale since ${clock(lostAt)}`);
    const banner = $("#stale");
    if (!banner || banner.hidden === !stale) return;
    banner.hidden = !stale;
    if (stale) $("time", banner).textContent = clock(lostAt);
  }, 1000);
  document.addEventListener("htmx:ws:after:message:incoming", (e) => {
    const seq = $("#live-seq")?.dataset.seq;
    if (!seq) return;
    const url = new URL(e.detail.connection.url);
    url.searchParams.set("since", seq);
    e.detail.connection.url = url.toString(); // a reconnect resumes here
    sayGap();
  });

  // ---- times ------------------------------------------------------------------------------------------------------
  function long(ms) {
    const s = Math.floor(ms / 1000);
    if (s < 60) return `${s} s`;
    if (s < 3600) return `${Math.floor(s / 60)} min`;
    if (s < 172800) return `${Math.floor(s / 3600)} h`;
    return `${Math.floor(s / 86400)} days`;
  }
  const ago = (ms) => ms < 45000 ? "just now" : `${long(ms)} ago`;
  setInterval(() => {
    for (const t of document.querySelectorAll("time[data-ago]")) {
      const ms = Date.now() - Date.parse(t.dateTime);
      if (ms < 0) continue;
      const text = t.hasAttribute("data-lasting") ? long(ms) : ago(ms);
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
    if (open && !e.ctrlKey && !e.metaKey) {
      e.preventDefault(); // without scripts it may be a link to a page
      openDialog(document.getElementById(open.dataset.open));
    }
  });

  // What shows itself beside a row goes at Escape, and comes back when somebody comes to the row again.
  document.addEventListener("keydown", (e) => {
    if (e.key === "Escape") for (const row of document.querySelectorAll(".row:hover, .row:focus-within")) row.classList.add("hushed");
  });
  for (const left of ["mouseout", "focusout"]) {
    document.addEventListener(left, (e) => {
      const row = e.target.closest?.(".row.hushed");
      if (row && !row.contains(e.relatedTarget)) row.classList.remove("hushed");
    });
  }

  // A dialog gives the focus back to where it was; where that was nowhere, it goes to the content. The event comes some
  // time after the closing: by then the dialog may be open again.
  document.addEventListener("close", (e) => {
    if (e.target.matches("dialog:not([open])")) leave(e.target);
  }, true);

  function leave(dialog) {
    const at = document.activeElement;
    if (at === document.body || dialog.contains(at)) $("#main").focus({ preventScroll: true });
  }

  function openDialog(dialog) {
    if (dialog && dialog === finder) forget();
    dialog?.showModal();
  }

  // What a page shows stays when a request fails; what is wrong is said beside it.
  htmx.config.noSwap.push("4xx", "5xx");
  document.addEventListener("htmx:response:error", (e) => {
    const { status, headers } = e.detail.ctx.response;
    if (status === 401) {
      if (e.detail.ctx.sourceElement?.contains?.(pressedLast)) meant = pressedLast.id || null;
      signedOut(headers.get("Carebell-Signed-Out") ?? undefined);
    }
    else say(headers.get("Content-Type")?.startsWith("text/plain") ? e.detail.ctx.text.trim() : "That did not work. Try again in a moment.");
  });
  document.addEventListener("htmx:error", () => say("That did not reach Carebell. Nothing was changed; try again."));
  // A page that the browser kept while the person was elsewhere shows what was, and its socket is closed.
  window.addEventListener("pageshow", (e) => { if (e.persisted) location.reload(); });

  // ---- search -----------------------------------------------------------------------------------------------------
  // The box is a combobox: the focus stays in the field, and the chosen hit is named by it.
  const finder = $("#search");
  const field = $("#search-text");
  const hits = () => [...finder.querySelectorAll("[role=option]")];

  function choose(hit) {
    for (const h of hits()) h.setAttribute("aria-selected", String(h === hit));
    if (hit) {
      field.setAttribute("aria-activedescendant", hit.id);
      hit.scrollIntoView({ block: "nearest" });
    } else {
      field.removeAttribute("aria-activedescendant");
    }
    field.setAttribute("aria-expanded", String(hits().length > 0));
  }

  // What was looked for stays on no screen. It is forgotten at once when the box is closed or opened by a key: the close
  // event comes later, when the next search may be under way, and would take what is typed by then.
  const nothingYet = finder ? $("#search-status").textContent : "";
  function forget() {
    htmx.trigger(field, "htmx:abort");
    field.value = "";
    $("#search-results").replaceChildren();
    $("#search-status").textContent = nothingYet;
    choose(null);
  }

  if (finder) {
    field.addEventListener("keydown", (e) => {
      const all = hits();
      const at = all.findIndex((h) => h.id === field.getAttribute("aria-activedescendant"));
      if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        e.preventDefault();
        const to = e.key === "ArrowDown" ? at + 1 : (at < 0 ? all.length : at) - 1;
        choose(all[(to + all.length) % all.length]);
      } else if (e.key === "Enter" && at >= 0) {
        e.preventDefault();
        all[at].click();
      } else if (e.key === "Escape") {
        e.preventDefault(); // or it would empty the field and leave the box open
        finder.close();
        leave(finder); // at once, or a key that follows at once would go into the hidden field
        forget();
      }
    });
    field.addEventListener("input", () => field.value ? choose(null) : forget());
    // What is asked for is what the field has when it is asked; an answer to another text comes too late.
    field.addEventListener("htmx:config:request", (e) => {
      e.detail.ctx.typed = field.value;
      if (!field.value) e.preventDefault();
    });
    field.addEventListener("htmx:before:swap", (e) => { if (e.detail.ctx.typed !== field.value) e.preventDefault(); });
    document.addEventListener("htmx:after:swap", () => { if (finder.open && !document.getElementById(field.getAttribute("aria-activedescendant"))) choose(null); });
    finder.addEventListener("close", () => { if (!finder.open) forget(); }); // closed by the browser itself
  }

  // ---- choosing files ---------------------------------------------------------------------------------------------
  // What is chosen stays chosen when a live update draws the list anew.
  function countChosen() {
    const form = $("[data-choose]");
    const all = form ? [...form.querySelectorAll("[data-pick]")] : [];
    const n = all.filter((p) => p.checked).length;
    const every = form && $("[data-choose-all]", form);
    if (every) {
      every.checked = n > 0 && n === all.length;
      every.indeterminate = n > 0 && n < all.length;
    }
    const said = form && $("[data-chosen]", form);
    const text = n === 0 ? "None selected" : `${n} selected`;
    if (said && said.textContent !== text) said.textContent = text;
    return n;
  }
  document.addEventListener("change", (e) => {
    if (e.target.matches("[data-choose-all]")) for (const p of e.target.form.querySelectorAll("[data-pick]")) p.checked = e.target.checked;
    if (e.target.matches("[data-choose-all], [data-pick]")) countChosen();
  });
  document.addEventListener("htmx:after:swap", countChosen);
  document.addEventListener("submit", (e) => {
    if (!e.target.matches("[data-choose]") || e.submitter?.value === "all" || countChosen() > 0) return;
    e.preventDefault();
    say("No document is selected. Select at least one first.");
  });

  // ---- keys -------------------------------------------------------------------------------------------------------
  const keysOff = "carebell keys off";
  const box = $("#keys-on");
  if (box) {
    box.checked = !localStorage.getItem(keysOff);
    box.addEventListener("change", () => box.checked ? localStorage.removeItem(keysOff) : localStorage.setItem(keysOff, "1"));
  }

  function move(step) {
    const all = [...document.querySelectorAll("main .row")].filter((r) => r.offsetParent && handle(r));
    const at = all.findIndex((r) => r.contains(document.activeElement));
    const to = all[at < 0 ? (step > 0 ? 0 : all.length - 1) : at + step];
    if (!to) {
      say(all.length === 0 ? "There is no row here to move to." : step > 0 ? "That is the last row." : "That is the first row.");
      return;
    }
    handle(to).focus();
    to.scrollIntoView({ block: "nearest" });
  }
  // A key works on the row that has the focus, else on what the whole page is about. Where it can do nothing, it says why.
  const done = { assign: "assigned to you", seen: "marked as seen", done: "marked as done", undo: "undone" };
  function press(end) {
    const button = `[id$="-${end}"]`;
    const row = document.activeElement.closest?.(".row");
    const found = row && $(button, row) || $(`[data-keys] ${button}`);
    if (found) found.click();
    else if (document.body.dataset.role === "viewer") say("Your role lets you read only. Nothing was changed.");
    else if (row || $("[data-keys]")) say(`There is nothing here that can be ${done[end]}. Nothing was changed.`);
    else say("Choose a row first: j goes to the first one. Nothing was changed.");
  }
  function findInList() {
    const box = $("[data-search], [data-match]");
    const sheet = box?.closest("[popover]");
    if (sheet && !box.checkVisibility()) sheet.showPopover(); // a narrow or enlarged page
    if (box) box.focus();
    else say("This page has no list to search. / searches everything.");
  }

  // Whoever comes by keyboard is at the first row at once, however many filters stand before it.
  const skip = $("a.skip");
  if (skip && list()) {
    const toRows = document.createElement("a");
    toRows.className = "skip";
    toRows.id = "skip-to-rows";
    toRows.href = `#${list().id}`;
    toRows.textContent = "Skip to the first row";
    toRows.addEventListener("click", (e) => {
      const row = $(".row", list());
      e.preventDefault();
      if (row) focusRow(row);
      else say("There is no row yet.");
    });
    skip.after(toRows);
  }

  // ---- flags explain themselves -----------------------------------------------------------------------------------------
  // A pointer gets the title from the browser; who comes by keyboard gets the same. It goes at Escape, and stays while the
  // focus does.
  function flagsTakeFocus() {
    for (const flag of document.querySelectorAll("main .flag[title]:not([title=''], [tabindex])")) flag.tabIndex = 0;
  }
  const tip = document.createElement("div");
  tip.id = "flag-tip";
  tip.setAttribute("role", "tooltip");
  tip.popover = "manual";
  document.body.append(tip);
  let flagged = null;
  function hideTip() {
    flagged?.removeAttribute("aria-describedby");
    flagged = null;
    if (tip.matches(":popover-open")) tip.hidePopover();
  }
  document.addEventListener("focusin", (e) => {
    hideTip();
    const flag = e.target.closest?.(".flag[title]");
    if (!flag?.title) return;
    flagged = flag;
    tip.textContent = flag.title;
    flag.setAttribute("aria-describedby", tip.id);
    tip.showPopover();
    const at = flag.getBoundingClientRect();
    tip.style.inset = "auto";
    tip.style.margin = "0";
    tip.style.maxWidth = "min(22rem, 90vw)";
    tip.style.left = `${Math.max(4, Math.min(at.left, window.innerWidth - tip.offsetWidth - 4))}px`;
    tip.style.top = `${at.bottom + tip.offsetHeight + 8 < window.innerHeight ? at.bottom + 4 : at.top - tip.offsetHeight - 4}px`;
  });
  document.addEventListener("focusout", hideTip);
  window.addEventListener("scroll", hideTip, { passive: true });
  document.addEventListener("keydown", (e) => { if (e.key === "Escape") hideTip(); });
  document.addEventListener("htmx:after:swap", flagsTakeFocus);
  flagsTakeFocus();

  let wentG = 0;
  document.addEventListener("keydown", (e) => {
    if (e.ctrlKey || e.metaKey || e.altKey || e.target.matches("input, textarea, select") || $("dialog[open]")) return;
    if (localStorage.getItem(keysOff) && e.key !== "?") return;
    const page = Date.now() - wentG < 1200 && $(`nav.side [data-g="${CSS.escape(e.key)}"]`);
    if (page) {
      location.assign(page.href);
      return;
    }
    switch (e.key) {
      case "j": move(1); break;
      case "k": move(-1); break;
      case "a": press("assign"); break;
      case "s": press("seen"); break;
      case "e": press("done"); break;
      case "u": press("undo"); break;
      case "g": wentG = Date.now(); break;
      case "f": findInList(); e.preventDefault(); break;
      case "n": say("Notes are not part of this page. Nothing was changed."); break;
      case "/": openDialog(finder); e.preventDefault(); break;
      case "?": openDialog($("#keys")); break;
    }
  });
})();
