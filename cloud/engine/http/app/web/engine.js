// The engine that serves this page, asked by /authenticator/v1, and the device
// that asks: its keys and what it signs (docs/authenticator.md).
import { Refusal, toBase64url, utf8 } from "./base.js";

const root = new URL("v1/", import.meta.url);
const clockOff = 30_000; // milliseconds from which the engine's clock is taken
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

// Asks once. The keys of refusals are "engine." and the kind of the error.
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
  const refusal = new Refusal(`engine.${content?.error?.code ?? "offline"}`, { message: content?.error?.message ?? "" });
  refusal.status = answer.status;
  refusal.after = Number(content?.error?.retry_after ?? 0) * 1000;
  throw refusal;
}

const post = (path, body) => call("POST", path, { body });

// Begins the proof of who somebody is: { challenge, method, prompt, expires_at }.
export const signIn = (user, password) => post("sign-in", { user, password });

// Ends it: { user, activation_code, until }.
export const proveCode = (challenge, code) => post("code", { challenge, code });

// The same for a pass of the helpdesk.
export const provePass = (user, pass) => post("pass", { user, pass });

// Makes this browser an authenticator: { user_id, user, device, oath }.
export async function activate(keys, user, code, name) {
  const key = toBase64url(await crypto.subtle.exportKey("raw", keys.publicKey));
  const signature = await sign(keys.privateKey, "activation", user, plain(code), name, key);
  return post("activate", { user, activation_code: code, name, key, signature });
}

// A call as a device; made once more if it was refused for a clock that is wrong.
async function signed(account, ask) {
  const before = offset;
  try {
    return await ask();
  } catch (refusal) {
    if (refusal.key !== "engine.denied" || offset === before) {
      throw refusal;
    }
    return ask();
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

// What waits for an account, once it is other than version or the time is over.
export function pushes(account, version, seconds, signal) {
  const query = new URLSearchParams({ version, wait: `${seconds}s` });
  return asDevice(account, "GET", `pushes?${query}`, { wait: seconds * 1000, signal });
}

// Answers a push: { state, reason }.
export function press(account, challenge, answer, number = "") {
  return signed(account, async () => {
    const time = Math.floor(now() / 1000);
    const signature = await sign(account.key, "answer", account.user, account.device, challenge, answer, number, time);
    const body = { answer, time, signature, ...(number ? { number } : {}) };
    return call("POST", `pushes/${encodeURIComponent(challenge)}/answer`, { body, headers: await bearer(account) });
  });
}
