// The engine that serves this page, asked by /authenticator/v1, and the device
// that asks: its keys and what it signs (docs/authenticator.md).
import { Refusal, toBase64url, told, utf8 } from "./base.js";

const root = new URL("v1/", import.meta.url);
const clockOff = 30_000; // milliseconds from which the engine's clock is taken
const silent = 45_000; // milliseconds without a word after which a stream is taken for dead
const patience = 20_000; // milliseconds for an answer, beside what it was asked to wait

let offset = 0; // of the engine's clock, in milliseconds

// Now by the engine's clock, as far as it is known.
export const now = () => Date.now() + offset;

// How far this device's clock is off, in milliseconds; 0: it is right, or nobody knows.
export const clockError = () => offset;

function learn(date) {
  const theirs = Date.parse(date ?? "");
  if (Number.isNaN(theirs)) {
    return;
  }
  const off = theirs - Date.now();
  offset = Math.abs(off) > clockOff ? off : 0;
}

// A key pair whose private half never leaves the browser.
export const newKeys = () => crypto.subtle.generateKey({ name: "ECDSA", namedCurve: "P-256" }, false, ["sign", "verify"]);

async function sign(key, word, ...lines) {
  const text = [`mfabridge ${word} 1`, ...lines.map((line) => String(line).replaceAll("\n", "\uFFFD"))].join("\n");
  return toBase64url(await crypto.subtle.sign({ name: "ECDSA", hash: "SHA-256" }, key, utf8(text)));
}

// A code as people type it, as it is signed.
const plain = (code) => code.replace(/[- ]/g, "").toLowerCase();

// Asks once. The keys of refusals are "engine." and the kind of the error, unless
// there are words for its reason.
export async function call(method, path, { body, headers, wait = 0, signal } = {}) {
  const limit = AbortSignal.timeout(patience + wait);
  let answer, text;
  try {
    answer = await fetch(new URL(path, root), {
      method, headers: { ...headers, ...(body ? { "Content-Type": "application/json" } : {}) }, body: body && JSON.stringify(body),
      signal: signal ? AbortSignal.any([signal, limit]) : limit, cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
    });
    text = await answer.text();
  } catch (cause) {
    throw new Refusal("engine.offline", {}, cause);
  }
  learn(answer.headers.get("Date"));
  return understood(answer, text);
}

function understood(answer, text) {
  if (answer.status === 204) {
    return null;
  }
  let content = null;
  try {
    content = JSON.parse(text);
  } catch {
    // told below
  }
  if (answer.ok && content) {
    return content;
  }
  const { code = "offline", reason = "", message = "" } = content?.error ?? {};
  const refusal = new Refusal(`engine.${code}`, { message });
  refusal.reason = reason;
  refusal.after = Number(content?.error?.retry_after ?? 0) * 1000;
  throw refusal;
}

const post = (path, body) => call("POST", path, { body });

// What anybody may know: { account, push_key, pin, pin_length, self_enrolment, sign_in, pass }.
export const about = () => call("GET", "about");

// Begins the proof of who somebody is, to activate or to manage:
// { challenge, method, prompt, expires_at }. method asks for one of their
// second factors; null: as ever.
export const signIn = (user, password, purpose, method) => post("sign-in", { user, password, for: purpose, ...(method ? { method } : {}) });

// Ends it: { user, activation_code, until, url, qr, pin, pin_length }, or { user, token, until }.
export const proveCode = (challenge, code) => post("code", { challenge, code });

// The same for a pass of the helpdesk.
export const provePass = (user, pass, purpose) => post("pass", { user, pass, for: purpose });

// Makes this browser an authenticator: { user_id, user, account, device, oath };
// or { needs: "pin", pin_length }, and nothing was made.
export async function activate(keys, user, code, name, pin) {
  const key = toBase64url(await crypto.subtle.exportKey("raw", keys.publicKey));
  const signature = await sign(keys.privateKey, "activation", user, plain(code), name, key, ...(pin ? [pin] : []));
  return post("activate", { user, activation_code: code, name, key, signature, ...(pin ? { pin } : {}) });
}

// A call as a device; made once more if it was refused for a clock that is wrong.
async function signed(account, ask) {
  try {
    return await ask();
  } catch (refusal) {
    if (refusal.reason !== "wrong_clock") {
      throw refusal;
    }
    return ask(); // the answer has told the time
  }
}

async function bearer({ user, device, key }) {
  const time = Math.floor(now() / 1000);
  return { Authorization: `Bearer mfd1.${user}.${device}.${time}.${await sign(key, "request", user, device, time)}` };
}

// Asks as a device of an account.
export function asDevice(account, method, path, options = {}) {
  return signed(account, async () => call(method, path, { ...options, headers: await bearer(account) }));
}

// Asks as the owner of authenticators: as a device of theirs, or with the
// token of a fresh sign-in, which is good for some minutes.
export async function asOwner(who, method, path, body) {
  if (!who.token) {
    return asDevice(who, method, path, { body });
  }
  return call(method, path, { body, headers: { Authorization: `Bearer ${who.token}` } }).catch(told("ended", "manage.over"));
}

// What waits for an account, once it is other than version or the time is over.
export function pushes(account, version, seconds, signal) {
  const query = new URLSearchParams({ version, wait: `${seconds}s` });
  return asDevice(account, "GET", `pushes?${query}`, { wait: seconds * 1000, signal });
}

// Hears what waits and what goes, as it happens: heard(event, data). It returns
// when the engine ends the stream, and is refused when nothing was heard for
// too long: a connection can die without a word.
export function events(account, signal, heard) {
  return signed(account, async () => {
    const silence = new AbortController();
    let timer = setTimeout(() => silence.abort(), silent);
    try {
      const answer = await fetch(new URL("events", root), { headers: await bearer(account), signal: AbortSignal.any([signal, silence.signal]),
        cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer" });
      learn(answer.headers.get("Date"));
      if (!answer.ok) {
        understood(answer, await answer.text());
      }
      const lines = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      for (let rest = "", part = await lines.read(); !part.done; part = await lines.read()) {
        clearTimeout(timer);
        timer = setTimeout(() => silence.abort(), silent);
        const whole = (rest + part.value).split("\n\n");
        rest = whole.pop();
        whole.forEach((text) => tell(text, heard));
      }
    } catch (cause) {
      throw cause instanceof Refusal ? cause : new Refusal("engine.offline", {}, cause);
    } finally {
      clearTimeout(timer);
    }
  });
}

function tell(text, heard) {
  const event = /^event: (.*)$/m.exec(text), data = /^data: (.*)$/m.exec(text);
  if (event && data) {
    heard(event[1], JSON.parse(data[1]));
  }
}

// Answers a push: { state, reason, pin, tries_left }.
export function press(account, challenge, answer, { number = "", pin = "" } = {}) {
  return signed(account, async () => {
    const time = Math.floor(now() / 1000);
    const signature = await sign(account.key, "answer", account.user, account.device, challenge, answer, number, time, ...(pin ? [pin] : []));
    const body = { answer, time, signature, ...(number ? { number } : {}), ...(pin ? { pin } : {}) };
    return call("POST", `pushes/${encodeURIComponent(challenge)}/answer`, { body, headers: await bearer(account) });
  });
}

// Sets the PIN of this device: {}, or { pin, tries_left } where the old one is not right.
export function setPIN(account, pin, old = "") {
  return signed(account, async () => {
    const time = Math.floor(now() / 1000);
    const signature = await sign(account.key, "pin", account.user, account.device, pin, old, time);
    return call("POST", "pin", { body: { pin, time, signature, ...(old ? { old } : {}) }, headers: await bearer(account) });
  });
}
