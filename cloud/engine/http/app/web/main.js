// The Authenticator: opens what this device keeps, shows the page that the
// fragment of the address names, and waits for sign-ins.
import * as approve from "./approve.js";
import { accountPage } from "./account.js";
import { activatePage, choices, importPage, invitePage } from "./add.js";
import { plain } from "./base.js";
import { h, icon, notice, say } from "./dom.js";
import { explained } from "./form.js";
import { drawPending, home, icons, stateOf } from "./home.js";
import { managePage } from "./owner.js";
import { renew, subscribed } from "./notify.js";
import { readyPage, settingsPage } from "./settings.js";
import { accounts, onChange, open, tidy } from "./vault.js";
import { begin as watch } from "./watch.js";
import { adopt, begin as speak, follow, t } from "./words.js";

const pages = {
  "": home, add: choices, activate: activatePage, invite: invitePage, import: importPage, account: accountPage, manage: managePage,
  settings: () => settingsPage(draw), ready: (query) => readyPage(draw, query),
};

// Pages on which nothing is typed: they may be drawn anew at any time.
const idle = ["", "add", "account", "settings", "ready"];

let drawn = 0;

// The page that the address names, and what it says to it. Invitations and
// activation links name none: #user=…, #user=…&code=…. A code does not stay in
// the history.
function asked() {
  const fragment = location.hash.slice(1);
  const [page, query] = fragment.includes("=") && !fragment.includes("?") ? ["", fragment] : fragment.split("?");
  const given = new URLSearchParams(query ?? "");
  const name = page || (given.has("code") ? "activate" : given.has("user") ? "invite" : "");
  if (given.has("code")) {
    history.replaceState(null, "", `#${name}`);
  }
  return { name: Object.hasOwn(pages, name) ? name : "", given };
}

let current = asked();

// A page that cannot be made says why.
async function made({ name, given }) {
  try {
    return await pages[name](given);
  } catch (refusal) {
    return h("div", { class: "page narrow" }, h("h1", {}, t("name")), notice("warning", explained(refusal)));
  }
}

async function draw() {
  const turn = ++drawn;
  adopt();
  const view = await made(current);
  if (turn === drawn) {
    document.getElementById("bar").replaceChildren(...bar(current.name));
    document.getElementById("main").replaceChildren(view);
    await refresh(); // something may have come while it was made
  }
}

async function go() {
  current = asked();
  await draw();
  scrollTo(0, 0);
  const heading = document.querySelector("main h1");
  heading.tabIndex = -1;
  heading.focus();
}

function bar(name) {
  const link = (to, label, path, words) => h("a", { class: "bar-link", href: to, "aria-label": label, title: label }, icon(path), words ? h("span", {}, words) : null);
  return name === ""
    ? [h("span", { class: "brand" }, h("img", { src: "authenticator/icon.svg", alt: "", width: "28", height: "28" }), t("name")),
      h("nav", { "aria-label": t("nav") }, link("#add", t("home.add"), icons.add), link("#settings", t("settings.title"), icons.settings))]
    : [h("nav", { "aria-label": t("nav") }, link("#", t("back"), icons.back, t("back")))];
}

// The window's title names the page, and how many sign-ins wait.
async function title() {
  const n = (await approve.waiting()).length, page = current.name && document.querySelector("main h1")?.textContent;
  document.title = (n ? `(${n}) ` : "") + (page ? `${page} – ${t("name")}` : t("name"));
}

// Shows what has come or gone where it can be seen.
async function refresh() {
  title();
  for (const place of document.querySelectorAll("[data-state]")) {
    const words = stateOf({ id: place.dataset.state });
    if (place.textContent !== words) {
      place.textContent = words;
    }
  }
  const pending = document.getElementById("pending");
  if (pending) {
    await drawPending(pending);
  }
}

async function heard() {
  await approve.update();
  await refresh();
  await notify();
}

const notified = new Set();

// Tells of sign-ins while nobody looks at the page.
async function notify() {
  if (document.visibilityState === "visible" || !globalThis.Notification || Notification.permission !== "granted") {
    return;
  }
  const worker = await navigator.serviceWorker?.getRegistration("authenticator");
  if (await subscribed()) {
    return; // the push service does
  }
  for (const { push } of await approve.waiting()) {
    if (!notified.has(push.challenge)) {
      notified.add(push.challenge);
      worker?.showNotification(t("home.waits", { application: plain(push.application) }), { body: t("notice.open"), tag: push.challenge, requireInteraction: true });
    }
  }
}

// Keeps the page for when there is no network. Where that fails, the page
// works while there is one.
async function install() {
  if (!navigator.serviceWorker) {
    return;
  }
  const worker = globalThis.trustedTypes?.createPolicy("worker", { createScriptURL: () => new URL("sw.js", import.meta.url).href });
  const address = worker ? worker.createScriptURL("") : new URL("sw.js", import.meta.url).href;
  await navigator.serviceWorker.register(address, { scope: new URL("../authenticator", import.meta.url).pathname, updateViaCache: "none" }).catch(() => {});
}

function online() {
  say(navigator.onLine ? "" : t("state.offline"));
}

async function begin() {
  speak();
  install();
  try {
    await open();
    await tidy(Date.now());
  } catch (refusal) {
    document.getElementById("main").replaceChildren(h("div", { class: "page narrow" }, h("h1", {}, t("name")), notice("warning", t(refusal.key ?? "storage.none"))));
    return;
  }
  approve.begin(heard);
  addEventListener("hashchange", go);
  addEventListener("online", online);
  addEventListener("offline", online);
  await draw();
  follow(() => idle.includes(current.name) && draw());
  let before = await shape();
  onChange(async () => {
    const now = await shape();
    if (now !== before) {
      before = now;
      if (current.name === "" || current.name === "account") {
        draw();
      }
    }
  });
  setInterval(() => approve.update(), 1000);
  await watch(heard);
  renew();
}

// What of the accounts a page shows.
const shape = async () => JSON.stringify((await accounts()).map(({ id, label, issuer, name }) => [id, label, issuer, name]));

begin();
