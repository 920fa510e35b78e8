// The PIN that some organisations ask for with every approval.
import { field, h, mark } from "./dom.js";
import { t } from "./words.js";

export const usualLength = 4; // digits, unless the engine says more

// A control for a PIN.
export const pinInput = (attributes) => h("input", { type: "password", inputmode: "numeric", autocomplete: "off", maxlength: "16", class: "digits", ...attributes });

// Controls for a new PIN, twice: { element, value() }. value is null where what
// was typed is none, and says so.
export function newPIN(length = usualLength) {
  const first = pinInput(), second = pinInput();
  return {
    element: h("div", {}, field(t("pin.new"), first, t("pin.rule", { length })), field(t("pin.repeat"), second)),
    value() {
      const pin = first.value;
      mark(second, "");
      mark(first, /^\d+$/.test(pin) && pin.length >= length ? "" : t("pin.rule", { length })); // what is guessed first the engine refuses
      if (first.hasAttribute("aria-invalid")) {
        return null;
      }
      mark(second, pin === second.value ? "" : t("pin.differs"));
      return pin === second.value ? pin : null;
    },
  };
}

// What is said of a wrong one; left are the tries that remain.
export const wrongPIN = (left = 0) => t(left === 1 ? "pin.wrong.last" : "pin.wrong", { left });
