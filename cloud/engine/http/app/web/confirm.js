// A question that has to be answered before something is done that cannot be
// undone.
import { h } from "./dom.js";
import { t } from "./words.js";

// True: somebody said yes.
export function confirm(title, text, yes) {
  return new Promise((resolve) => {
    const answer = (value) => {
      dialog.close();
      dialog.remove();
      resolve(value);
    };
    const dialog = h("dialog", { class: "sheet", "aria-labelledby": "confirm-title", "aria-describedby": "confirm-text", oncancel: (event) => { event.preventDefault(); answer(false); } },
      h("h2", { id: "confirm-title", tabindex: "-1" }, title), h("p", { id: "confirm-text" }, text),
      h("div", { class: "buttons" },
        h("button", { class: "main danger", type: "button", onclick: () => answer(true) }, yes),
        h("button", { type: "button", onclick: () => answer(false) }, t("cancel"))));
    document.getElementById("sheet").append(dialog);
    dialog.showModal();
    dialog.querySelector("h2").focus();
  });
}
