// The accounts of this device, each with its code.
import { plain } from "./base.js";
import { busy, h, icon, notice, parts, say } from "./dom.js";
import { asDevice, clockError, now } from "./engine.js";
import { codeOf, stepOf } from "./otp.js";
import { accounts, change, codeKey } from "./vault.js";
import { aside, open } from "./approve.js";
import { known } from "./watch.js";
import { clock, has, t } from "./words.js";

const around = 2 * Math.PI * 9; // of the ring

export const icons = {
  add: "M12 5v14M5 12h14",
  back: "M15 5l-7 7 7 7",
  next: "M20 4v6h-6M20 10a8 8 0 1 0 0 5",
  settings: "M4 7h8M18 7h2M4 17h2M12 17h8M12 7a3 3 0 1 0 6 0 3 3 0 1 0-6 0M6 17a3 3 0 1 0 6 0 3 3 0 1 0-6 0",
};

// The view; it lives until the next one is shown.
export async function home() {
  const all = await accounts();
  const cards = await Promise.all(all.map(card));
  const pending = h("div", { id: "pending" });
  const view = h("div", { class: "page" }, all.length ? null : h("img", { src: "authenticator/icon.svg", alt: "", class: "shield" }), h("h1", { class: all.length ? "unseen" : "" }, all.length ? t("home.title") : t("home.welcome")),
    h("div", { id: "clock" }), pending, all.length ? h("ul", { class: "cards" }, cards.map((c) => c.element)) : empty());
  const tick = () => {
    if (!view.isConnected && view.dataset.shown) {
      clearInterval(timer);
      return;
    }
    view.dataset.shown = "yes";
    cards.forEach((c) => c.tick());
    warn();
  };
  const timer = setInterval(tick, 1000);
  cards.forEach((c) => c.tick());
  return view;
}

function empty() {
  return h("div", { class: "empty" }, h("p", {}, t("home.empty")),
    h("a", { class: "button main", href: "#add" }, t("home.add")));
}

// Whether the clock of this device is wrong.
function warn() {
  const place = document.getElementById("clock"), off = Math.round(clockError() / 60_000);
  const text = off === 0 ? "" : t("clock.off", { minutes: Math.abs(off) });
  if (place && place.textContent !== text) {
    place.replaceChildren(...(text ? [notice("warning", text)] : []));
  }
}

// A notice of the engine, in the language of the page where there are words for it.
const wordsOf = ({ kind, name, text }) => has(`notice.${kind}`) ? t(`notice.${kind}`, { name: plain(name) }) : plain(text, 500);

// What waits and was put aside, and what the engine wants people to know.
export async function drawPending(place) {
  const all = await aside(), told = [];
  for (const account of await accounts()) {
    for (const one of known.get(account.id)?.notices ?? []) {
      told.push(h("div", { class: "notice asks" }, h("div", {}, h("strong", {}, account.label), h("br"), `${clock(new Date(one.at))}: ${wordsOf(one)}`),
        h("button", { type: "button", onclick: (event) => busy(event.currentTarget, () => asDevice(account, "POST", "notices/seen", { body: { ids: [one.id] } }).catch(() => {})) }, t("home.seen"))));
    }
  }
  place.replaceChildren(...told, ...all.map((one) => h("div", { class: "notice asks" },
    h("div", {}, h("strong", {}, t("home.waits", { application: plain(one.push.application) })), h("br"), one.account.label),
    h("button", { class: "main", type: "button", onclick: () => open(one) }, t("home.review")))));
}

async function card(account) {
  const names = h("div", { class: "names" }, h("strong", {}, parts(account.issuer || account.label || t("home.nameless"))),
    account.issuer && account.label ? h("span", {}, parts(account.label)) : null, account.device ? h("span", { class: "state", "data-state": account.id }, stateOf(account)) : null);
  const head = h("div", { class: "card-head" }, names, h("a", { class: "more", href: `#account?id=${account.id}`, "aria-label": t("home.more", { name: account.label }) }, "⋯"));
  if (!account.oath) {
    return { element: h("li", { class: "card" }, head), tick() {} };
  }
  const maker = account.oath.type === "hotp" ? counted(account) : timed(account);
  return { element: h("li", { class: "card" }, head, maker.element), tick() {
    maker.element.hidden = Boolean(account.device) && removed(account); // its codes have ended with it
    return maker.tick();
  } };
}

// Whether the engine knows the device of an account no more.
export const removed = (account) => known.get(account.id)?.state === "removed";

// How the engine and an account stand, in words.
export function stateOf(account) {
  const state = known.get(account.id)?.state;
  return state ? t(`state.${state}`) : t("state.begin");
}

// A code in two halves, as people read it aloud.
const halves = (code) => `${code.slice(0, code.length / 2)} ${code.slice(code.length / 2)}`;

// A button that shows a code and copies it.
function shownCode(account) {
  const text = h("span", { class: "code" }, "––– –––");
  let code = "";
  const button = h("button", { class: "plain copy", type: "button", "aria-label": t("home.unshown", { name: account.label }), onclick: async () => {
    if (code && await navigator.clipboard.writeText(code).then(() => true, () => false)) {
      say(t("home.copied"));
      button.classList.add("copied");
      setTimeout(() => button.classList.remove("copied"), 1500);
    }
  } }, text, h("span", { class: "tick", "aria-hidden": "true" }, t("home.copied.short")));
  return { button, set(value) {
    code = value;
    text.textContent = halves(value);
    button.setAttribute("aria-label", t("home.copy", { code: value.split("").join(" "), name: account.label }));
  }, fail() {
    code = "";
    text.textContent = t("home.broken");
  } };
}

function timed(account) {
  const shown = shownCode(account);
  const rest = h("circle", { cx: "12", cy: "12", r: "9", class: "rest", "stroke-dasharray": String(around) });
  const ring = h("svg", { class: "ring", viewBox: "0 0 24 24", "aria-hidden": "true" }, h("circle", { cx: "12", cy: "12", r: "9", class: "track" }), rest);
  let step = -1;
  const key = codeKey(account);
  const tick = async () => {
    const { period, digits } = account.oath, seconds = now() / 1000;
    rest.setAttribute("stroke-dashoffset", String(around * ((seconds % period) / period)));
    ring.classList.toggle("last", period - seconds % period < 6);
    if (step !== stepOf(seconds, period)) {
      step = stepOf(seconds, period);
      await key.then(async (k) => shown.set(await codeOf(k, step, digits))).catch(shown.fail);
    }
  };
  return { element: h("div", { class: "card-code" }, shown.button, ring), tick };
}

// A code of a counter is made when somebody asks for it, and its counter is
// kept before it is shown: no two tabs show the same one.
function counted(account) {
  const shown = shownCode(account);
  const next = h("button", { class: "plain round", type: "button", "aria-label": t("home.next", { name: account.label }), onclick: async () => {
    try {
      let counter = 0;
      if (await change(account.id, (now) => { counter = now.oath.counter++; }, true)) {
        shown.set(await codeOf(await codeKey(account), counter, account.oath.digits));
      }
    } catch {
      shown.fail();
    }
  } }, icon(icons.next));
  return { element: h("div", { class: "card-code" }, shown.button, next), tick() {} };
}
