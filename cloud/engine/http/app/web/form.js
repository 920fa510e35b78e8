// Forms: controls that may be empty only where that is meant, and words for what
// the engine refuses.
import { Refusal, plain, utf8 } from "./base.js";
import { busy, field, h, mark, notice } from "./dom.js";
import { has, t } from "./words.js";

// A form whose button does work; what is refused stands above it.
export function form(button, work, ...parts) {
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

// Words for whatever went wrong; what nobody foresaw stands in the console, too.
export function explained(refusal) {
  if (!(refusal instanceof Refusal)) {
    reportError(refusal);
    return t("unexpected");
  }
  const key = [`reason.${refusal.reason}`, refusal.key].find(has);
  return t(key ?? "engine.internal", refusal.values);
}

// Marks the first control that is empty.
export function complete(...controls) {
  const empty = controls.find((control) => control.value.trim() === "");
  controls.forEach((control) => mark(control, ""));
  if (empty) {
    mark(empty, t("needed"));
  }
  return !empty;
}

const longest = 128; // bytes of the name of a device

// A control for the name of a device: { element, value() }. value is null where
// nothing was typed or too much, and says so; signs that nobody sees, as some
// pictures of several people are made with, are left out.
export function deviceName(label, value, hint) {
  const control = text({ autocomplete: "off", value, maxlength: "64", autocapitalize: "sentences" });
  return { element: field(label, control, hint), value() {
    const name = plain(control.value);
    mark(control, name === "" ? t("needed") : utf8(name).length > longest ? t("device.long") : "");
    return control.hasAttribute("aria-invalid") ? null : name;
  } };
}

export const text = (attributes) => h("input", { type: "text", autocapitalize: "none", spellcheck: "false", ...attributes });
