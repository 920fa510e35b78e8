// Signing in: the password and then a second factor that is there already, or a
// pass of the helpdesk. What for, and what follows, is its caller's.
import { told } from "./base.js";
import { field, h } from "./dom.js";
import { about, proveCode, provePass, signIn } from "./engine.js";
import { complete, form, text } from "./form.js";
import { has, t } from "./words.js";

const ways = ["oath", "sms", "email"]; // the second factors that are typed; nobody is called for a sign-in here

// The page. proven gets what the engine gives, and returns what is shown then;
// purpose is activate or manage.
export function signInPage({ purpose, title, lead, user: known, proven }) {
  const place = h("div", { class: "page narrow" });
  const user = text({ autocomplete: "username", inputmode: "email", value: known });
  const step = (...content) => {
    const first = !place.hasChildNodes();
    place.replaceChildren(h("h1", { tabindex: "-1" }, title), ...content);
    if (!first) {
      place.querySelector("h1").focus();
    }
  };
  const done = async (made) => step(...await proven(made));
  const byPassword = (method) => {
    const password = h("input", { type: "password", autocomplete: "current-password" });
    const way = h("select", {}, h("option", { value: "" }, t("signin.usual")), ways.map((name) => h("option", { value: name, selected: name === method }, t(`way.${name}`))));
    step(h("p", { class: "lead" }, lead), form(t("next"), async () => {
      if (complete(user, password)) {
        bySecond(await signIn(user.value.trim(), password.value, purpose, way.value));
      }
    }, field(t("user"), user), field(t("password"), password)),
    h("button", { class: "plain flush", type: "button", onclick: byPass }, t("invite.pass")),
    h("details", { open: Boolean(method) }, h("summary", {}, t("signin.way")), field(t("signin.second"), way)));
  };
  const byPass = () => {
    const pass = text({ autocomplete: "one-time-code", class: "mono" });
    step(h("p", { class: "lead" }, t("invite.pass.lead")), form(t("next"), async () => {
      if (complete(user, pass)) {
        await done(await provePass(user.value.trim(), pass.value.trim(), purpose).catch(told("wrong_code", "invite.pass.denied")));
      }
    }, field(t("user"), user), field(t("invite.pass.label"), pass)),
    h("button", { class: "plain flush", type: "button", onclick: () => byPassword() }, t("invite.password")));
  };
  const bySecond = (asked) => {
    const code = text({ inputmode: "numeric", autocomplete: "one-time-code", class: "digits", maxlength: "10" });
    step(h("p", { class: "lead" }, has(`invite.second.${asked.method}`) ? t(`invite.second.${asked.method}`) : asked.prompt), form(t("next"), async () => {
      if (complete(code)) {
        await done(await proveCode(asked.challenge, code.value.trim()));
      }
    }, field(t("invite.code"), code)),
    h("button", { class: "plain flush", type: "button", onclick: () => byPassword(asked.method) }, t("signin.again")));
  };
  byPassword();
  about().then((known) => known.sign_in || byPass()).catch(() => {}); // told when the form is sent
  return place;
}
