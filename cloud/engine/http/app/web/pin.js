// The PIN that some organisations ask for with every approval.
import { digits } from "./base.js";
import { field, h, mark } from "./dom.js";
import { about } from "./engine.js";
import { t } from "./words.js";

const usualLength = 4; // digits, unless the engine says more

// A control for a PIN.
export const pinInput = (attributes) => h("input", { type: "password", inputmode: "numeric", autocomplete: "off", maxlength: "16", class: "digits", ...attributes });

// Controls for a new PIN, twice: { element, value() }. value is null where what
// was typed is none, and says so. What is guessed first the engine refuses.
export function newPIN() {
  const first = pinInput(), second = pinInput();
  let rule = t("pin.rule", { length: usualLength }), length = usualLength;
  const element = h("div", {}, field(t("pin.new"), first, rule), field(t("pin.repeat"), second));
  about().then((known) => {
    length = known.pin_length;
    rule = t(known.weak_pins ? "pin.digits" : "pin.rule", { length });
    element.querySelector(".hint").textContent = rule;
  }).catch(() => {}); // told when the form is sent
  return { element, value() {
    const pin = digits(first.value);
    mark(second, "");
    mark(first, /^\d+$/.test(pin) && pin.length >= length ? "" : rule);
    if (first.hasAttribute("aria-invalid")) {
      return null;
    }
    mark(second, pin === digits(second.value) ? "" : t("pin.differs"));
    return pin === digits(second.value) ? pin : null;
  } };
}

// What is said of a wrong one; left are the tries that remain.
export const wrongPIN = (left = 0) => t(left === 1 ? "pin.wrong.last" : "pin.wrong", { left });
