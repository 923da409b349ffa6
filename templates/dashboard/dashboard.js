// Two things that a page cannot do by itself: show times in the viewer's zone, and renew itself
// when the server says that something has changed. Everything else works without this file.
"use strict";

const RENEW_AFTER = 250; // ms: several changes in a row are one renewal.
const AGES_EVERY = 30_000; // ms

const formats = {
  full: { dateStyle: "medium", timeStyle: "short" },
  short: { month: "short", day: "numeric", hour: "numeric", minute: "2-digit" },
  precise: { month: "short", day: "numeric", hour: "numeric", minute: "2-digit", second: "2-digit" },
  title: { dateStyle: "full", timeStyle: "long" },
};
const format = (style, date) => new Intl.DateTimeFormat(undefined, formats[style]).format(date);

const UNITS = [["day", 86_400], ["hour", 3_600], ["minute", 60]];

function ago(date) {
  const seconds = (Date.now() - date) / 1000;
  if (seconds > 7 * 86_400) return format("full", date);
  const relative = new Intl.RelativeTimeFormat(undefined, { numeric: "auto" });
  const [unit, length] = UNITS.find(([, length]) => seconds >= length) ?? ["minute", 60];
  return relative.format(-Math.max(0, Math.floor(seconds / length)), unit);
}

function localise(root) {
  for (const time of root.querySelectorAll("time")) {
    const date = new Date(time.dateTime);
    const style = time.dataset.style;
    time.textContent = style === "ago" ? ago(date) : format(style, date);
    time.title = format("title", date);
  }
}

// Takes over what has changed, and leaves alone what the reader has opened or holds.
function swap(old, fresh) {
  localise(fresh);
  for (const details of old.querySelectorAll("details[id]")) {
    const same = fresh.querySelector(`#${details.id}`);
    if (same) same.open = details.open;
  }
  if (old.innerHTML === fresh.innerHTML) return;
  const held = old.contains(document.activeElement) ? document.activeElement : null;
  const position = held && [...old.querySelectorAll("a, button, summary, [tabindex]")].indexOf(held);
  old.replaceChildren(...fresh.childNodes);
  if (!held) return;
  const again = [...old.querySelectorAll("a, button, summary, [tabindex]")];
  const same = again.find((e) => held.href && e.getAttribute("href") === held.getAttribute("href"));
  (same ?? again[position])?.focus({ preventScroll: true });
}

let renewals = 0;
async function renew() {
  const mine = ++renewals;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  // The session has ended: opened anew, the page asks for another.
  if (answer.status === 401) return location.reload();
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!answer.ok || mine !== renewals) return;
  for (const old of document.querySelectorAll("[data-live]")) {
    const fresh = page.getElementById(old.id);
    if (fresh) swap(old, fresh);
  }
}

function listen(address) {
  const line = document.getElementById("line");
  const say = (state, text) => {
    line.hidden = false;
    line.dataset.state = state;
    if (line.textContent !== text) line.textContent = text;
  };
  let timer;
  const soon = () => {
    clearTimeout(timer);
    timer = setTimeout(() => renew().catch(() => say("lost", "Reconnecting")), RENEW_AFTER);
  };
  const source = new EventSource(address);
  let wasLost = false;
  source.addEventListener("open", () => {
    say("live", "Live");
    if (wasLost) soon();
    wasLost = false;
  });
  source.addEventListener("error", () => {
    wasLost = true;
    say("lost", "Reconnecting");
  });
  source.addEventListener("changed", soon);
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => event.persisted && location.reload());
}

localise(document);
document.getElementById("zone").textContent =
  `Times are in your zone, ${Intl.DateTimeFormat().resolvedOptions().timeZone}.`;
setInterval(() => localise(document), AGES_EVERY);
if (document.body.dataset.listen) listen(document.body.dataset.listen);
