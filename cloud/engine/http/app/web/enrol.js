// Makes this browser an authenticator of an account, and adds accounts that
// have only codes.
import { Refusal, fromBase32 } from "./base.js";
import { activate, newKeys } from "./engine.js";
import { keep, persist, prepare, remove } from "./vault.js";
import { t } from "./words.js";

// Activates this browser. The key pair and the room are kept before the code
// is used up. { needs: "pin", pin_length }: one has to be chosen first, and the
// code is as good as before.
export async function enrol(user, code, name, pin) {
  const keys = await newKeys();
  const draft = { id: crypto.randomUUID(), added: Date.now(), key: keys.privateKey };
  await prepare(draft);
  let got;
  try {
    got = await activate(keys, user, code, name, pin);
  } catch (refusal) {
    await remove(draft.id);
    throw refusal;
  }
  if (got.needs) {
    await remove(draft.id);
    return got;
  }
  const { secret, ...oath } = got.oath ?? {};
  const account = { ...draft, user: got.user_id, device: got.device, label: got.user, issuer: got.account ?? "", name, pin: Boolean(pin),
    oath: got.oath ? { type: "totp", ...oath } : null };
  await keep(account, got.oath ? fromBase32(secret) : null);
  await persist();
  return account;
}

// Adds an account that otp.js has read.
export async function add({ label, issuer, secret, oath }) {
  const account = { id: crypto.randomUUID(), added: Date.now(), label, issuer, oath };
  await keep(account, secret);
  await persist();
  return account;
}

// What an activation link says: { user, code }; null: it is none. A link to
// another engine is refused, since this page can speak to its own only.
export function readLink(text) {
  let link;
  try {
    link = new URL(text.trim());
  } catch {
    return null;
  }
  const query = new URLSearchParams(link.hash.slice(1));
  if (!/^https?:$/.test(link.protocol) || !query.get("code")) {
    return null;
  }
  if (link.origin !== location.origin || link.pathname.replace(/\/$/, "") !== location.pathname) {
    throw new Refusal("activate.elsewhere", { address: link.host });
  }
  return { user: query.get("user") ?? "", code: query.get("code") };
}

const systems = [["iPhone", "iPhone"], ["iPad", "iPad"], ["Android", "Android"], ["CrOS", "Chromebook"], ["Windows", "Windows"], ["Mac OS", "Mac"], ["Linux", "Linux"]];
const browsers = [["Edg/", "Edge"], ["OPR/", "Opera"], ["Firefox/", "Firefox"], ["Chrome/", "Chrome"], ["Safari/", "Safari"]];

// A name for this device that its owner knows again.
export function usualName() {
  const first = (list) => list.find(([mark]) => navigator.userAgent.includes(mark))?.[1];
  return t("device.name", { browser: first(browsers) ?? t("device.browser"), system: first(systems) ?? t("device.system") });
}
