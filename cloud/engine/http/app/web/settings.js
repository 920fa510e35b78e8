// Language, notifications, installation.
import { field, h, notice } from "./dom.js";
import { asOwner } from "./engine.js";
import { renew } from "./notify.js";
import { ways } from "./owner.js";
import { account } from "./vault.js";
import { choose, language, languages, t } from "./words.js";

let installer = null; // the browser's offer to install the page
addEventListener("beforeinstallprompt", (event) => {
  event.preventDefault();
  installer = event;
});

const installed = () => matchMedia("(display-mode: standalone)").matches || navigator.standalone === true;

export function settingsPage(redraw) {
  const select = h("select", { onchange: async () => { choose(select.value); await redraw(); document.querySelector("main select").focus(); } },
    Object.entries(languages).map(([tag, name]) => h("option", { value: tag, lang: tag, selected: tag === language }, name)));
  return h("div", { class: "page narrow" }, h("h1", {}, t("settings.title")), field(t("settings.language"), select), notifications(redraw), install(),
    h("section", {}, h("h2", {}, t("manage.title")), h("p", {}, t("settings.manage")), h("div", { class: "buttons" }, h("a", { class: "button", href: "#manage" }, t("settings.manage.go")))));
}

// What notifications need, and how they stand.
export function notifications(redraw) {
  const state = globalThis.Notification ? Notification.permission : "none";
  return h("section", {}, h("h2", {}, t("settings.notices")), h("p", {}, t(`settings.notices.${state}`)),
    state === "default" ? h("div", { class: "buttons" }, h("button", { type: "button", onclick: async () => { await Notification.requestPermission(); redraw(); renew(); } },
      t("settings.notices.ask"))) : null);
}

// How to install the page, where it is not.
export function install() {
  if (installed()) {
    return h("section", {}, h("h2", {}, t("settings.install")), h("p", {}, t("settings.install.done")));
  }
  const apple = /iPhone|iPad/.test(navigator.userAgent);
  return h("section", {}, h("h2", {}, t("settings.install")), h("p", {}, t(apple ? "settings.install.apple" : "settings.install.text")),
    installer ? h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => installer.prompt() }, t("settings.install.go"))) : null);
}

// What follows an activation.
export async function readyPage(redraw, query) {
  const who = await account(query.get("id") ?? "");
  return h("div", { class: "page narrow" }, h("h1", {}, t("ready.title")), notice("good", t("ready.text")), who?.device ? first(who) : null,
    notifications(redraw), install(), h("div", { class: "buttons" }, h("a", { class: "button main", href: "#" }, t("ready.go"))));
}

// Says so, once it is known, where texts or calls go on: their user would wait
// in vain for a sign-in here.
function first(who) {
  const place = h("div", {});
  const draw = async (told) => {
    const me = await asOwner(who, "GET", "me");
    place.replaceChildren(told ?? "", ...me.default === "push" ? [] : ways(who, me, draw));
  };
  draw().catch(() => {}); // the page of the account says it, too
  return place;
}
