// Pages that add an account: by an activation code, by signing in, or from an
// otpauth address.
import { field, h, mark, notice } from "./dom.js";
import { about, now } from "./engine.js";
import { add, enrol, readLink, usualName } from "./enrol.js";
import { Refusal, told } from "./base.js";
import { complete, deviceName, form, text } from "./form.js";
import { readAddress, readSecret } from "./otp.js";
import { newPIN } from "./pin.js";
import { reader } from "./scan.js";
import { signInPage } from "./signin.js";
import { clock, t } from "./words.js";

const go = (to) => { location.hash = to; };

export function choices() {
  const row = (to, title, text) => h("li", {}, h("a", { class: "row", href: to }, h("strong", {}, title), h("span", {}, text)));
  return h("div", { class: "page" }, h("h1", {}, t("add.title")), h("ul", { class: "rows" },
    row("#invite", t("add.invite"), t("add.invite.text")),
    row("#activate", t("add.activate"), t("add.activate.text")),
    row("#import", t("add.import"), t("add.import.text"))));
}

export function activatePage(query) {
  const user = text({ autocomplete: "username", value: query.get("user"), inputmode: "email" });
  const code = text({ autocomplete: "off", value: query.get("code"), class: "mono" });
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
        mark(code, t(refusal.key, refusal.values));
      }
    }
  });
  const here = activation(() => complete(user, code) && { user: user.value.trim(), code: code.value },
    field(t("user"), user), field(t("activate.code"), code, t("activate.code.hint")));
  return h("div", { class: "page narrow" }, h("h1", {}, t("activate.title")), h("p", { class: "lead" }, t("activate.lead")), here,
    query.get("code") ? null : reader(t("activate.scan"), taken));
}

// The form that makes this browser an authenticator. given returns user and
// code, or nothing where they are not complete; a PIN is asked for where the
// engine wants one.
function activation(given, ...fields) {
  const name = deviceName(t("device"), usualName(), t("device.hint"));
  const place = h("div", {});
  let pin = null;
  const ask = () => {
    pin = newPIN();
    place.replaceChildren(h("p", {}, t("pin.first")), pin.element);
  };
  about().then((known) => known.pin && ask()).catch(() => {}); // told when the form is sent
  return form(t("activate.go"), async () => {
    const called = name.value(), known = given();
    const chosen = pin?.value();
    if (called === null || !known || chosen === null) {
      return;
    }
    const made = await enrol(known.user, known.code, called, chosen).catch(told("wrong_code", "activate.denied"));
    if (made.needs) {
      ask();
      place.querySelector("input").focus();
    } else {
      go(`ready?id=${made.id}`);
    }
  }, ...fields, name.element, place);
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

// Signing in, and then activating here or elsewhere.
export const invitePage = (query) => signInPage({ purpose: "activate", title: t("invite.title"), lead: t("invite.lead"), user: query.get("user"), proven });

// Whoever has proven to be the user activates here, or carries the code on.
function proven(made) {
  const link = made.url ?? `${location.origin}${location.pathname}#${new URLSearchParams({ user: made.user, code: made.activation_code })}`;
  const place = h("div", {}, notice("good", t("invite.proven", { user: made.user })), h("h2", {}, t("invite.here")),
    activation(() => ({ user: made.user, code: made.activation_code })),
    h("details", {}, h("summary", {}, t("invite.there")), h("p", {}, t(made.qr ? "invite.there.qr" : "invite.there.text", { until: clock(new Date(made.until)) })),
      made.qr ? drawn(made.qr) : null, h("p", { class: "big mono" }, made.activation_code), h("p", { class: "address mono" }, link)));
  setTimeout(() => place.replaceChildren(notice("warning", t("invite.over")),
    h("div", { class: "buttons" }, h("button", { type: "button", onclick: () => location.reload() }, t("again")))), Date.parse(made.until) - now());
  return [place];
}

// A QR code of rows of 0 and 1, with the margin that readers need.
function drawn(rows) {
  const size = rows.length + 8;
  const dark = rows.flatMap((row, y) => Array.from(row, (bit, x) => bit === "1" ? `M${x + 4} ${y + 4}h1v1h-1z` : "")).join("");
  return h("svg", { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": t("invite.qr") },
    h("rect", { width: size, height: size, class: "qr-light" }), h("path", { d: dark, class: "qr-dark" }));
}
