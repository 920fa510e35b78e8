// Forms: controls that may be empty only where that is meant, and words for what
// the engine refuses.
import { Refusal } from "./base.js";
import { busy, h, mark, notice } from "./dom.js";
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
  return has(refusal.key) ? t(refusal.key, refusal.values) : t("engine.internal");
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

export const text = (attributes) => h("input", { type: "text", autocapitalize: "none", spellcheck: "false", ...attributes });
