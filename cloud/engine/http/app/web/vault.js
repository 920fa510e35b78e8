// What this device keeps, in IndexedDB. Secrets of codes are sealed with
// AES-GCM under a key that no script can read out; the keys that sign are kept
// as the browser holds them. Accounts of two tabs are the same accounts:
// whoever changes one says so on the channel.
import { Refusal, utf8 } from "./base.js";
import { hashes } from "./otp.js";

const name = "mfabridge-authenticator";
const spare = 2048; // bytes that are put aside before an activation uses up its code

let database = null;
let sealing = null;
const listeners = new Set();
const tabs = channel(name);
tabs.addEventListener("message", () => listeners.forEach((listener) => listener()));

// What goes to the other tabs. A browser that keeps nothing for this page may
// have no channel either: open says so.
export function channel(called) {
  try {
    return new BroadcastChannel(called);
  } catch {
    return Object.assign(new EventTarget(), { postMessage() {} });
  }
}

// Calls listener whenever accounts have changed, here or in another tab.
export function onChange(listener) {
  listeners.add(listener);
}

function changed() {
  tabs.postMessage("accounts");
  listeners.forEach((listener) => listener());
}

const done = (request) => new Promise((resolve, reject) => {
  request.addEventListener("success", () => resolve(request.result));
  request.addEventListener("error", () => reject(request.error));
});

// Opens the store; a Refusal where the browser keeps nothing.
export async function open() {
  if (!globalThis.isSecureContext) {
    throw new Refusal("insecure"); // browsers give no keys to such pages
  }
  try {
    const request = indexedDB.open(name, 1);
    request.addEventListener("upgradeneeded", () => {
      request.result.createObjectStore("accounts", { keyPath: "id" });
      request.result.createObjectStore("keys");
    });
    database = await done(request);
    database.addEventListener("versionchange", () => database.close());
    sealing = await sealingKey();
  } catch (cause) {
    throw new Refusal("storage.none", {}, cause);
  }
}

// The one key of this device, made once, also when two tabs start at a time.
async function sealingKey() {
  const fresh = await crypto.subtle.generateKey({ name: "AES-GCM", length: 256 }, false, ["encrypt", "unwrapKey"]);
  return write("keys", async (keys) => {
    const known = await done(keys.get("seal"));
    if (known) {
      return known;
    }
    await done(keys.add(fresh, "seal"));
    return fresh;
  });
}

// Runs work in one transaction and waits until it is durable.
async function write(store, work) {
  const transaction = database.transaction(store, "readwrite", { durability: "strict" });
  const ended = new Promise((resolve, reject) => {
    transaction.addEventListener("complete", resolve);
    transaction.addEventListener("abort", () => reject(transaction.error));
  });
  ended.catch(() => {}); // told below, unless work has failed before
  try {
    const result = await work(transaction.objectStore(store));
    await ended;
    return result;
  } catch (cause) {
    throw cause instanceof Refusal ? cause : new Refusal("storage.full", {}, cause);
  }
}

// Throws away what was prepared long ago and never became an account.
export async function tidy(now) {
  await write("accounts", async (store) => {
    for (const account of await done(store.getAll())) {
      if (account.draft && !(now - account.added < 3600_000)) {
        store.delete(account.id);
      }
    }
  });
}

// All accounts, in the order in which they were added.
export async function accounts() {
  const all = await done(database.transaction("accounts").objectStore("accounts").getAll());
  return all.filter((account) => !account.draft).sort((a, b) => a.added - b.added);
}

export async function account(id) {
  return done(database.transaction("accounts").objectStore("accounts").get(id));
}

// Keeps what is to become an account, with room for all that it will hold: an
// activation must not fail after its code was used up.
export async function prepare(draft) {
  await write("accounts", (store) => done(store.put({ ...draft, draft: true, room: crypto.getRandomValues(new Uint8Array(spare)) })));
}

// Keeps an account; secret, if there is one, is sealed first.
export async function keep(account, secret) {
  const kept = { ...account };
  if (secret) {
    kept.sealed = await seal(account, secret);
  }
  await write("accounts", (store) => done(store.put(kept)));
  changed();
  return kept;
}

// Changes an account that is there, as it is at this moment: false if it has
// gone. Quiet changes are none that a page has to be drawn again for.
export async function change(id, edit, quiet = false) {
  const there = await write("accounts", async (store) => {
    const account = await done(store.get(id));
    if (account) {
      edit(account);
      await done(store.put(account));
    }
    return Boolean(account);
  });
  if (!quiet) {
    changed();
  }
  return there;
}

export async function remove(id) {
  await write("accounts", (store) => done(store.delete(id)));
  changed();
}

// A sealed secret belongs to its account and its hash.
const context = (account) => utf8(`${account.id}\n${account.oath.algorithm}`);

async function seal(account, secret) {
  const iv = crypto.getRandomValues(new Uint8Array(12));
  const text = await crypto.subtle.encrypt({ name: "AES-GCM", iv, additionalData: context(account) }, sealing, secret);
  return { iv, text };
}

// The key that makes an account's codes; its bytes are seen by no script.
export async function codeKey(account) {
  const { iv, text } = account.sealed;
  return crypto.subtle.unwrapKey("raw", text, sealing, { name: "AES-GCM", iv, additionalData: context(account) },
    { name: "HMAC", hash: hashes[account.oath.algorithm] }, false, ["sign"]);
}

// Asks the browser not to throw things away when room gets scarce.
export async function persist() {
  try {
    return await navigator.storage.persist();
  } catch {
    return false;
  }
}
