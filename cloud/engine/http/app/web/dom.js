// Elements, and what is said to people who do not see them.

const svg = new Set(["svg", "path", "circle", "rect"]);

// An element. Attributes that begin with "on" are listeners; null and false are
// left out. Children are elements and texts: nothing is ever parsed as HTML.
export function h(tag, attributes, ...children) {
  const element = svg.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) {
      continue;
    }
    if (name.startsWith("on")) {
      element.addEventListener(name.slice(2), value);
    } else {
      element.setAttribute(name, value === true ? "" : value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

// A name or address, which is broken between its parts rather than inside one.
export const parts = (name) => name.split(/(?<=[@._-])/).flatMap((part, n) => n ? [h("wbr"), part] : [part]);

// Says a text to screen readers.
export function say(text) {
  const place = document.getElementById("said");
  place.textContent = "";
  requestAnimationFrame(() => { place.textContent = text; });
}

let ids = 0;

// A labelled control with its hint and its error.
export function field(label, control, hint) {
  const id = control.id || `field-${++ids}`;
  control.id = id;
  const wrong = h("p", { class: "wrong", id: `${id}-wrong`, hidden: true });
  const help = hint ? h("p", { class: "hint", id: `${id}-hint` }, hint) : null;
  control.setAttribute("aria-describedby", help ? `${id}-hint ${id}-wrong` : `${id}-wrong`);
  return h("div", { class: "field" }, h("label", { for: id }, label), control, help, wrong);
}

// Shows under a control what is wrong with it; an empty text: nothing is.
export function mark(control, text) {
  const wrong = document.getElementById(`${control.id}-wrong`);
  wrong.textContent = text;
  wrong.hidden = text === "";
  if (text) {
    control.setAttribute("aria-invalid", "true");
    control.focus();
  } else {
    control.removeAttribute("aria-invalid");
  }
}

// A notice of a kind: info, warning, good.
export function notice(kind, ...children) {
  return h("div", { class: `notice ${kind}`, role: kind === "warning" ? "alert" : null }, ...children);
}

// An icon of one path in a square of 24.
export function icon(path) {
  return h("svg", { viewBox: "0 0 24 24", class: "icon", "aria-hidden": "true" }, h("path", { d: path }));
}

// Runs work while a button rests, so that it is pressed once.
export async function busy(button, work) {
  if (button.getAttribute("aria-disabled") === "true") {
    return;
  }
  button.setAttribute("aria-disabled", "true");
  try {
    await work();
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
