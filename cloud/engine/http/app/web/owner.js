// What somebody sees of their own: devices and recent approvals, from a device
// of theirs or after a fresh sign-in.
import { digits, plain } from "./base.js";
import { busy, field, h, notice, say } from "./dom.js";
import { confirm } from "./confirm.js";
import { asOwner, setPIN } from "./engine.js";
import { deviceName, explained, form } from "./form.js";
import { newPIN, pinInput, wrongPIN } from "./pin.js";
import { signInPage } from "./signin.js";
import { change } from "./vault.js";
import { clock, t } from "./words.js";

// Looking after devices without one: a fresh sign-in.
export const managePage = () => signInPage({ purpose: "manage", title: t("manage.title"), lead: t("manage.lead"), user: null,
  proven: async (made) => [notice("good", t("invite.proven", { user: made.user })), await own({ token: made.token })] });

// Devices and approvals of whoever asks: an account of this device, or a token.
export async function own(who) {
  const place = h("div", {});
  const draw = async (told) => {
    try {
      const [me, { approvals }] = await Promise.all([asOwner(who, "GET", "me"), asOwner(who, "GET", "approvals")]);
      if (who.id) {
        who.pin = me.devices.find((one) => one.this)?.pin ?? who.pin;
        await change(who.id, (now) => { now.pin = who.pin; }, true);
      }
      const pressed = place.contains(document.activeElement);
      place.replaceChildren(told ?? "", devices(who, me, draw), ...ways(who, me, draw), ...pin(who, me, draw), recent(who, approvals, draw));
      if (pressed && told) { // what was pressed is gone: whoever uses the keyboard goes on here
        told.tabIndex = -1;
        told.focus();
      }
    } catch (refusal) {
      const over = refusal.key === "manage.over";
      place.replaceChildren(notice("warning", explained(refusal)), h("div", { class: "buttons" },
        h("button", { type: "button", onclick: () => over ? location.reload() : draw() }, t(over ? "settings.manage.go" : "retry"))));
    }
  };
  await draw();
  return place;
}

// Does something and shows the page anew, with what is to be said of it.
function act(draw, work, told) {
  return (event) => busy(event.currentTarget, async () => {
    try {
      if (await work() !== false) {
        say(told);
        await draw(notice("good", told));
      }
    } catch (refusal) {
      await draw(notice("warning", explained(refusal)));
    }
  });
}

function devices(who, me, draw) {
  return h("section", {}, h("h2", {}, t("devices.title")),
    me.devices.length ? h("ul", { class: "rows" }, me.devices.map((one) => h("li", { class: "row" }, device(who, one, draw)))) : h("p", {}, t("devices.none")));
}

function device(who, one, draw) {
  const path = `devices/${encodeURIComponent(one.id)}/`;
  const used = one.used_at ? t("devices.used", { time: clock(new Date(one.used_at)) }) : t("devices.unused");
  const name = deviceName(t("devices.name"), one.name);
  const remove = (lost) => act(draw, async () => await confirm(t("devices.remove.sure", { name: one.name }), t(lost ? "devices.lost.text" : "devices.remove.text"), t("account.end.yes"))
    && (await asOwner(who, "POST", `${path}remove`, lost ? { lost } : {}), true), t("devices.removed", { name: one.name }));
  const unlock = one.locked && who.token ? h("button", { type: "button", onclick: act(draw, () => asOwner(who, "POST", `${path}unlock`, {}), t("devices.unlocked")) }, t("devices.unlock")) : null;
  return h("div", {}, h("strong", {}, plain(one.name)), " ", one.this ? h("span", { class: "tag" }, t("devices.this")) : null, " ", one.locked ? h("span", { class: "tag danger" }, t("devices.locked")) : null,
    h("p", { class: "hint" }, `${t("devices.since", { time: clock(new Date(one.created_at)) })} ${used}`),
    one.locked && !who.token ? h("p", { class: "hint" }, t("devices.locked.text")) : null, unlock && h("div", { class: "buttons" }, unlock),
    h("details", { class: "small" }, h("summary", {}, t(one.this ? "devices.rename" : "devices.change")),
      form(t("devices.rename"), async () => {
        const called = name.value();
        if (called !== null) {
          await asOwner(who, "POST", `${path}rename`, { name: called });
          if (one.this) {
            await change(who.id, (now) => { now.name = called; }, true);
          }
          await draw(notice("good", t("devices.renamed")));
        }
      }, name.element),
      h("div", { class: "buttons" }, one.this ? null : h("button", { type: "button", class: "danger", onclick: remove(false) }, t("devices.remove")),
        one.this ? null : h("button", { type: "button", class: "danger", onclick: remove(true) }, t("devices.lost")))));
}

// How somebody is asked: a choice, where the organisation lets people choose;
// else a word to those whose app is not asked.
export function ways(who, me, draw) {
  const others = me.may_select.filter((way) => me.methods.includes(way) && way !== me.default);
  const told = me.default && me.default !== "push" && me.methods.includes("push") ? h("p", {}, t("default.other", { way: t(`way.${me.default}`) })) : null;
  const section = (...content) => [h("section", {}, h("h2", {}, t("default.title")), told, ...content)];
  if (others.length === 0) {
    return told ? section(h("p", {}, t("default.helpdesk"))) : [];
  }
  const all = me.default ? [me.default, ...others] : others; // what somebody has may be none of those that people choose
  const select = h("select", {}, all.map((way) => h("option", { value: way, selected: way === me.default }, t(`way.${way}`))));
  return section(form(t("save"), async () => {
    if (select.value !== me.default) {
      await asOwner(who, "POST", "default", { method: select.value });
    }
    await draw(notice("good", t("default.done")));
  }, field(t("default.label"), select)));
}

// A new PIN of this device.
function pin(who, me, draw) {
  const here = me.devices.find((one) => one.this);
  if (!who.id || here?.locked || !here?.pin && !me.pin_required) {
    return [];
  }
  const old = here.pin ? pinInput() : null, fresh = newPIN();
  return [h("section", {}, h("h2", {}, t("pin.title")), h("details", { class: "small" }, h("summary", {}, t(here.pin ? "pin.change" : "pin.set")), form(t("save"), async () => {
    const chosen = fresh.value();
    if (chosen === null) {
      return;
    }
    const { pin: state, tries_left: left } = await setPIN(who, chosen, old ? digits(old.value) : "");
    await draw(state ? notice("warning", state === "locked" ? t("result.locked.text") : wrongPIN(left)) : notice("good", t("pin.done")));
  }, old ? field(t("pin.old"), old) : null, fresh.element)))];
}

function recent(who, approvals, draw) {
  const one = (a) => h("li", { class: "row" }, h("div", {}, h("strong", {}, plain(a.application)), " ", h("span", { class: `tag ${a.state === "approved" ? "" : "danger"}` }, t(`recent.${a.state}`)),
    h("p", { class: "hint" }, [clock(new Date(a.at)), plain(a.from), plain(a.name)].filter(Boolean).join(" · ")),
    a.reported ? h("p", { class: "hint" }, t("recent.reported"))
      : h("button", { type: "button", class: "plain danger flush", "aria-label": t("recent.report.label", { application: plain(a.application) }), onclick: act(draw,
        async () => await confirm(t("report.title"), t("recent.report.text"), t("recent.report.yes")) && (await asOwner(who, "POST", `approvals/${encodeURIComponent(a.challenge)}/report`, {}), true),
        t("recent.done")) }, t("recent.report"))));
  return h("section", {}, h("h2", {}, t("recent.title")), approvals.length ? h("ul", { class: "rows" }, approvals.map(one)) : h("p", {}, t("recent.none")));
}
