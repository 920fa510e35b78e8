// The sheet on which somebody approves or denies a sign-in.
import { digits, plain } from "./base.js";
import { busy, field, h, mark, notice, parts } from "./dom.js";
import { now, press, setPIN } from "./engine.js";
import { explained } from "./form.js";
import { newPIN, pinInput, wrongPIN } from "./pin.js";
import { accounts, change, channel } from "./vault.js";
import { gone as ends, known } from "./watch.js";
import { ago, clock, t } from "./words.js";

const settle = 500; // milliseconds in which a sheet that has just come takes no press: it may have come under a finger

const later = new Set(); // challenges that somebody put aside
const answered = new Set(); // and those that were answered here
let shown = null; // { account, push, stage, result, since }
let sheet = null;
let onAside = () => {};
const tabs = channel("mfabridge-answers"); // what was answered in one tab was answered by this device

// Begins; aside is called when somebody puts a sign-in aside.
export function begin(aside) {
  onAside = aside;
  tabs.addEventListener("message", ({ data: { challenge, result } }) => {
    answered.add(challenge);
    if (shown?.push.challenge === challenge && shown.stage !== "sending" && Object.hasOwn(marks, result)) {
      finish(shown, result);
    }
  });
}

// The sign-ins that wait: [{ account, push }], oldest first.
export async function waiting() {
  const found = [];
  for (const account of await accounts()) {
    for (const push of known.get(account.id)?.pushes ?? []) {
      if (!answered.has(push.challenge) && Date.parse(push.expires_at) > now()) {
        found.push({ account, push });
      }
    }
  }
  return found.sort((a, b) => Date.parse(a.push.begun_at) - Date.parse(b.push.begun_at));
}

// Those of them that were put aside.
export async function aside() {
  return (await waiting()).filter(({ push }) => later.has(push.challenge));
}

// Brings the sheet in line with what waits now.
export async function update() {
  const all = await waiting();
  if (shown && shown.stage !== "done" && shown.stage !== "sending" && gone(all)) {
    finish(shown, fate(shown));
  }
  if (!shown) {
    const next = all.find(({ push }) => !later.has(push.challenge));
    if (next) {
      open(next);
    }
  }
}

function gone(all) {
  if (Date.parse(shown.push.expires_at) <= now()) {
    return true;
  }
  return known.get(shown.account.id)?.state === "ok" && !all.some(({ push }) => push.challenge === shown.push.challenge);
}

// How a sign-in ended that has gone. An answer of ours may have arrived though
// nobody told us so.
function fate({ push, tried }) {
  if (ends.get(push.challenge)?.state !== "approved") {
    return "late";
  }
  return tried === "approve" ? "approved" : "elsewhere";
}

// Opens the sheet for a sign-in.
export function open({ account, push }) {
  later.delete(push.challenge);
  shown = { account, push, stage: "ask", since: performance.now() };
  draw();
}

function close() {
  const before = sheet;
  shown = sheet = null;
  before?.close();
  before?.remove();
  update();
}

function putAside() {
  later.add(shown.push.challenge);
  close();
  onAside();
}

// Ends a sign-in; what came of one that was put aside meanwhile is not shown
// over another.
function finish({ push }, result) {
  answered.add(push.challenge);
  if (shown?.push.challenge !== push.challenge) {
    onAside();
    return;
  }
  shown.stage = "done";
  shown.result = result;
  draw();
}

const stages = { ask, report, done: outcome };

function draw() {
  if (!sheet) {
    sheet = h("dialog", { class: "sheet", "aria-labelledby": "sheet-title", "aria-describedby": "sheet-text", oncancel: (event) => {
      event.preventDefault();
      shown.stage === "done" ? close() : putAside();
    } });
    document.getElementById("sheet").append(sheet);
  }
  sheet.replaceChildren(...stages[shown.stage]());
  if (!sheet.open) {
    sheet.showModal();
  }
  (sheet.querySelector("[data-first]") ?? sheet.querySelector("h2")).focus({ preventScroll: true }); // who signs in where is read first
}

const title = (text) => h("h2", { id: "sheet-title", tabindex: "-1", "aria-describedby": "sheet-text" }, text);

function facts({ account, push }) {
  const begun = new Date(push.begun_at);
  const row = (name, value) => [h("dt", {}, name), h("dd", {}, value)];
  return h("dl", { class: "facts", id: "sheet-text" },
    row(t("approve.application"), h("strong", {}, plain(push.application))),
    row(t("approve.from"), plain(push.from) || t("approve.unknown")),
    row(t("approve.time"), `${clock(begun)} (${ago((now() - begun) / 1000)})`),
    row(t("approve.account"), parts(account.label)));
}

function ask() {
  const { push, account } = shown;
  const number = push.number ? h("input", { class: "digits", inputmode: "numeric", autocomplete: "off", maxlength: "2", required: true, "data-first": true }) : null;
  const pin = push.pin && account.pin ? pinInput({ "data-first": number ? null : true }) : null;
  const fresh = push.pin && !account.pin ? newPIN() : null;
  const approve = h("button", { class: "main", type: "submit" }, t("approve.yes"));
  const complete = () => {
    if (number) {
      mark(number, /^\d\d$/.test(digits(number.value)) ? "" : t("approve.number.two"));
    }
    if (pin && !number?.hasAttribute("aria-invalid")) {
      mark(pin, pin.value ? "" : t("needed"));
    }
    return !number?.hasAttribute("aria-invalid") && !pin?.hasAttribute("aria-invalid");
  };
  const form = h("form", { novalidate: true, onsubmit: (event) => {
    event.preventDefault();
    if (complete()) {
      const chosen = fresh?.value();
      if (chosen !== null) {
        send(approve, "approve", { number: number ? digits(number.value) : undefined, pin: pin ? digits(pin.value) : chosen, fresh: Boolean(fresh), control: pin });
      }
    }
  } },
  number ? field(t("approve.number"), number, t("approve.number.hint")) : null,
  fresh ? h("div", {}, h("p", {}, t("pin.first")), fresh.element) : null,
  pin ? field(t("pin"), pin) : null,
  h("div", { class: "buttons" }, approve, h("button", { type: "button", onclick: (event) => send(event.currentTarget, "deny") }, t("approve.no"))));
  return [title(t("approve.title")), facts(shown), form,
    h("p", { class: "sheet-foot" },
      h("button", { class: "plain danger", type: "button", onclick: () => { shown.stage = "report"; draw(); } }, t("approve.fraud")),
      h("button", { class: "plain", type: "button", onclick: putAside }, t("approve.later")))];
}

function report() {
  return [title(t("report.title")), h("p", { id: "sheet-text" }, t("report.what", { application: plain(shown.push.application) })),
    h("div", { class: "buttons" },
      h("button", { class: "main danger", type: "button", onclick: (event) => send(event.currentTarget, "fraud") }, t("report.yes")),
      h("button", { type: "button", onclick: () => { shown.stage = "ask"; draw(); } }, t("back")))];
}

// Sends an answer, one at a time; what came of it is shown. given are number and
// PIN; fresh: the PIN is a new one; control: where it was typed.
function send(button, answer, given = {}) {
  const one = shown, from = one.stage, { account, push } = one;
  if (from === "sending" || performance.now() - one.since < settle) {
    return null;
  }
  one.stage = "sending";
  const again = () => { one.stage = from; return one === shown; }; // whether somebody still looks at it
  return busy(button, async () => {
    try {
      if (given.fresh && !await choose(account, given.pin)) {
        if (again()) {
          draw();
          trouble(t("pin.there"));
        }
        return;
      }
      const got = await press(account, push.challenge, answer, given);
      if (got.pin) {
        await pinRefused(one, got, given.control, again());
      } else {
        const result = resultOf(one, answer, got);
        tabs.postMessage({ challenge: push.challenge, result });
        finish(one, result);
      }
    } catch (refusal) {
      if (refusal.key === "engine.not_found") {
        finish(one, "late");
        return;
      }
      one.tried = answer;
      if (again()) {
        trouble(refusal.key === "engine.offline" ? t("approve.offline") : explained(refusal));
      }
    }
  });
}

function trouble(text) {
  sheet.querySelector(".notice")?.remove();
  sheet.querySelector("h2").after(notice("warning", text));
}

// Sets the first PIN of this device; false: it has one already.
async function choose(account, pin) {
  const { pin: state } = await setPIN(account, pin);
  await remember(account, true);
  return !state;
}

// What this device knows of its PIN: whether it has one.
async function remember(account, has) {
  account.pin = has;
  await change(account.id, (now) => { now.pin = has; }, true);
}

async function pinRefused(one, { pin: state, tries_left: left }, control, seen) {
  if (state === "locked") {
    finish(one, "locked");
  } else if (state === "needed") {
    await remember(one.account, false); // its owner has unlocked the device
    seen && draw();
  } else if (seen) {
    control.value = "";
    mark(control, wrongPIN(left));
  }
}

function resultOf(one, answer, { state, reason }) {
  if (reason === "repeat_refused" || state === "expired") {
    return fate(one);
  }
  if (state === "approved") {
    return "approved";
  }
  if (answer === "approve") {
    return reason === "wrong_code" ? "number" : "refused";
  }
  return answer === "fraud" ? "reported" : "denied";
}

const marks = { approved: "good", elsewhere: "good", locked: "warning", denied: "info", reported: "info", late: "info", number: "warning", refused: "warning" };

function outcome() {
  const { result } = shown;
  return [h("div", { class: `seal ${marks[result]}`, "aria-hidden": "true" }), title(t(`result.${result}`)),
    h("p", { class: "centred", id: "sheet-text" }, t(`result.${result}.text`)),
    h("div", { class: "buttons" }, h("button", { class: "main", type: "button", onclick: close }, t("done")))];
}
