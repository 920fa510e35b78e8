// Pages that add an account: by an activation code, by signing in, or from an
// otpauth address.
import { busy, field, h, mark, notice } from "./dom.js";
import { proveCode, provePass, signIn } from "./engine.js";
import { add, enrol, readLink, usualName } from "./enrol.js";
import { Refusal } from "./base.js";
import { readAddress, readSecret } from "./otp.js";
import { reader } from "./scan.js";
import { clock, t } from "./words.js";

const go = (to) => { location.hash = to; };

export function choices() {
  const row = (to, title, text) => h("li", {}, h("a", { class: "row", href: to }, h("strong", {}, title), h("span", {}, text)));
  return h("div", { class: "page" }, h("h1", {}, t("add.title")), h("ul", { class: "rows" },
    row("#invite", t("add.invite"), t("add.invite.text")),
    row("#activate", t("add.activate"), t("add.activate.text")),
    row("#import", t("add.import"), t("add.import.text"))));
}

// A form whose button does work; what is refused stands above it.
function form(button, work, ...parts) {
  const wrong = h("div", {});
  const press = h("button", { class: "main", type: "submit" }, button);
  return h("form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    wrong.replaceChildren();
    busy(press, async () => {
      try {
        await work();
      } catch (refusal) {
        wrong.replaceChildren(notice("warning", explained(refusal)));
      }
    });
  } }, wrong, ...parts, h("div", { class: "buttons" }, press));
}

// Words for whatever went wrong; what nobody foresaw is thrown on.
function explained(refusal) {
  if (!(refusal instanceof Refusal)) {
    throw refusal;
  }
  return t(refusal.key, refusal.values);
}

// Marks the first control that is empty.
function complete(...controls) {
  const empty = controls.find((control) => control.value.trim() === "");
  controls.forEach((control) => mark(control, ""));
  if (empty) {
    mark(empty, t("needed"));
  }
  return !empty;
}

const text = (attributes) => h("input", { type: "text", autocapitalize: "none", spellcheck: "false", ...attributes });

export function activatePage(query) {
  const user = text({ autocomplete: "username", value: query.get("user"), inputmode: "email" });
  const code = text({ autocomplete: "off", value: query.get("code"), class: "mono" });
  const name = text({ autocomplete: "off", value: usualName(), maxlength: "64", autocapitalize: "sentences" });
  const taken = (found) => {
    const link = readLink(found);
    if (!link) {
      throw new Refusal("activate.none");
    }
    [user.value, code.value] = [link.user, link.code];
  };
  code.addEventListener("input", () => {
    if (code.value.includes("#")) {
      try {
        taken(code.value);
      } catch (refusal) {
        mark(code, explained(refusal));
      }
    }
  });
  return h("div", { class: "page narrow" }, h("h1", {}, t("activate.title")), h("p", { class: "lead" }, t("activate.lead")),
    form(t("activate.go"), async () => {
      if (complete(user, code, name)) {
        await activated(user.value.trim(), code.value, name.value.trim());
      }
    }, field(t("user"), user), field(t("activate.code"), code, t("activate.code.hint")), field(t("device"), name, t("device.hint"))),
    query.get("code") ? null : reader(t("activate.scan"), taken));
}

async function activated(user, code, name) {
  try {
    const account = await enrol(user, code, name);
    go(`ready?id=${account.id}`);
  } catch (refusal) {
    throw refusal.key === "engine.denied" ? new Refusal("activate.denied") : refusal;
  }
}

export function importPage() {
  const address = h("textarea", { rows: "3", autocomplete: "off", spellcheck: "false", autocapitalize: "none", class: "mono", placeholder: "otpauth://" });
  const issuer = text({ autocomplete: "off", autocapitalize: "words" }), label = text({ autocomplete: "off" });
  const secret = text({ autocomplete: "off", class: "mono" });
  const taken = async (read) => {
    await add(read);
    go("");
  };
  return h("div", { class: "page narrow" }, h("h1", {}, t("import.title")), h("p", { class: "lead" }, t("import.lead")),
    reader(t("import.scan"), (found) => taken(readAddress(found))),
    h("details", {}, h("summary", {}, t("import.address")),
      form(t("import.go"), async () => complete(address) && taken(readAddress(address.value)), field(t("import.address.label"), address))),
    h("details", {}, h("summary", {}, t("import.manual")),
      form(t("import.go"), async () => complete(issuer, secret) && taken(readSecret(secret.value, label.value, issuer.value)),
        field(t("import.issuer"), issuer), field(t("import.label"), label), field(t("import.secret.label"), secret, t("import.secret.hint")))));
}

// Signing in: the password and then a code, or a pass of the helpdesk.
export function invitePage(query) {
  const place = h("div", { class: "page narrow" });
  const step = (...content) => {
    place.replaceChildren(h("h1", { tabindex: "-1" }, t("invite.title")), ...content);
    place.querySelector("h1").focus();
  };
  const user = text({ autocomplete: "username", inputmode: "email", value: query.get("user") });
  const denied = (key) => (refusal) => { throw refusal.key === "engine.denied" ? new Refusal(key) : refusal; };
  const byPassword = () => {
    const password = h("input", { type: "password", autocomplete: "current-password" });
    step(h("p", { class: "lead" }, t("invite.lead")), form(t("next"), async () => {
      if (complete(user, password)) {
        bySecond(await signIn(user.value.trim(), password.value).catch(denied("invite.denied")));
      }
    }, field(t("user"), user), field(t("password"), password)),
    h("button", { class: "plain", type: "button", onclick: byPass }, t("invite.pass")));
  };
  const byPass = () => {
    const pass = text({ autocomplete: "one-time-code", class: "mono" });
    step(h("p", { class: "lead" }, t("invite.pass.lead")), form(t("next"), async () => {
      if (complete(user, pass)) {
        proven(await provePass(user.value.trim(), pass.value.trim()).catch(denied("invite.pass.denied")));
      }
    }, field(t("user"), user), field(t("invite.pass.label"), pass)),
    h("button", { class: "plain", type: "button", onclick: byPassword }, t("invite.password")));
  };
  const bySecond = (asked) => {
    const code = text({ inputmode: "numeric", autocomplete: "one-time-code", class: "digits", maxlength: "10" });
    step(h("p", { class: "lead" }, t(`invite.second.${asked.method}`) === `invite.second.${asked.method}` ? asked.prompt : t(`invite.second.${asked.method}`)),
      form(t("next"), async () => {
        if (complete(code)) {
          proven(await proveCode(asked.challenge, code.value.trim()).catch(denied("invite.second.denied")));
        }
      }, field(t("invite.code"), code)),
      h("button", { class: "plain", type: "button", onclick: byPassword }, t("again")));
  };
  const proven = (made) => step(...provenPage(made));
  byPassword();
  return place;
}

// Whoever has proven to be the user activates here, or carries the code on.
function provenPage(made) {
  const name = text({ autocomplete: "off", value: usualName(), maxlength: "64", autocapitalize: "sentences" });
  const link = `${location.origin}${location.pathname}#${new URLSearchParams({ user: made.user, code: made.activation_code })}`;
  return [notice("good", t("invite.proven", { user: made.user })),
    form(t("invite.here"), async () => complete(name) && activated(made.user, made.activation_code, name.value.trim()), field(t("device"), name, t("device.hint"))),
    h("details", {}, h("summary", {}, t("invite.there")), h("p", {}, t("invite.there.text", { until: clock(new Date(made.until)) })),
      h("p", { class: "big mono" }, made.activation_code), h("p", { class: "address mono" }, link))];
}
