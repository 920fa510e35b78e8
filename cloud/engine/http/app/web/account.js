// One account: how it stands, its names, and its end on this device.
import { busy, field, h, mark, notice, parts, say } from "./dom.js";
import { confirm } from "./confirm.js";
import { asOwner } from "./engine.js";
import { own } from "./owner.js";
import { reach } from "./reach.js";
import { removed, stateOf } from "./home.js";
import { account as find, change, remove } from "./vault.js";
import { t } from "./words.js";

export async function accountPage(query) {
  const account = await find(query.get("id") ?? "");
  if (!account || account.draft) {
    return h("div", { class: "page narrow" }, h("h1", {}, t("account.none")), h("p", {}, h("a", { href: "#" }, t("home.title"))));
  }
  const gone = removed(account); // the engine answers it nothing
  return h("div", { class: "page narrow" }, h("h1", {}, parts(account.label || account.issuer || t("home.nameless"))),
    account.device ? standing(account, gone) : names(account), ...account.device && !gone ? [reach(account), await own(account)] : [], ending(account));
}

function standing(account, gone) {
  const row = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
  const codes = !account.oath ? "account.codes.no" : gone ? "account.codes.ended" : "account.codes.yes";
  return h("div", {}, gone ? notice("warning", t("account.removed")) : null,
    h("dl", { class: "facts" }, gone ? null : row(t("account.state"), h("span", { "data-state": account.id }, stateOf(account))),
      row(t("account.device"), account.name), row(t("account.codes"), t(codes))));
}

// The names of an account of codes are its owner's.
function names(account) {
  const text = (value) => h("input", { type: "text", autocomplete: "off", maxlength: "128", value });
  const issuer = text(account.issuer), label = text(account.label), save = h("button", { class: "main", type: "submit" }, t("save"));
  return h("form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    busy(save, async () => {
      mark(issuer, issuer.value.trim() || label.value.trim() ? "" : t("needed"));
      if (issuer.value.trim() || label.value.trim()) {
        await change(account.id, (now) => { [now.issuer, now.label] = [issuer.value.trim(), label.value.trim()]; });
        location.hash = "";
      }
    });
  } }, field(t("import.issuer"), issuer), field(t("import.label"), label), h("div", { class: "buttons" }, save));
}

// Has the engine end this device, and then removes the account. Where the
// engine keeps counting on the device, somebody has to say that they know.
async function dismiss(account, name) {
  const path = `devices/${encodeURIComponent(account.device)}/remove`;
  try {
    if (account.device) {
      await asOwner(account, "POST", path, {});
    }
  } catch (refusal) {
    const last = refusal.reason === "last_method";
    if (refusal.reason !== "not_active" && !await confirm(t("account.end.sure", { name }), t(last ? "account.last" : "account.untold"), t("account.end.anyway"))) {
      return false;
    }
    if (last) {
      await asOwner(account, "POST", path, { lost: true }).catch(() => {}); // the key goes in any case
    }
  }
  await remove(account.id);
  return true;
}

function ending(account) {
  return h("section", { class: "ending" }, h("h2", {}, t("account.end")), h("p", {}, t(account.device ? "account.end.device" : "account.end.codes")),
    h("button", { type: "button", class: "danger", onclick: async () => {
      const name = account.label || account.issuer;
      if (await confirm(t("account.end.sure", { name }), t(account.device ? "account.end.device" : "account.end.codes"), t("account.end.yes"))) {
        if (!await dismiss(account, name)) {
          return;
        }
        say(t("account.ended", { name }));
        location.hash = "";
      }
    } }, t("account.end.yes")));
}
