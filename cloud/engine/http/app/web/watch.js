// Waits for sign-ins while the page is seen, or while it may show notifications:
// one request for each account that can approve, held by the engine until
// something comes or goes.
import { pushes } from "./engine.js";
import { accounts, onChange } from "./vault.js";

const wait = 50; // seconds of one request
const atOnce = 4; // requests: browsers hold few of them to one address
const turn = 5; // seconds of one request where accounts have to take turns
const restFirst = 1_000; // milliseconds after a failure, doubled up to restMost
const restMost = 30_000;

// What is known of each account: { state, pushes }, by its id. States are
// "ok", "offline" and "removed" (the engine lets it in no more).
export const known = new Map();

const loops = new Map();
let tell = () => {};
let held = 0;
const queue = [];

// Begins; heard is called whenever known has changed.
export async function begin(heard) {
  tell = heard;
  document.addEventListener("visibilitychange", () => refresh(true)); // a connection may have died unseen
  window.addEventListener("online", () => refresh(true));
  window.addEventListener("focus", () => refresh());
  onChange(() => refresh());
  await refresh();
}

const wanted = () => document.visibilityState === "visible" || (globalThis.Notification && Notification.permission === "granted");

// Starts and ends loops as accounts and the eyes on the page say.
export async function refresh(again = false) {
  const able = wanted() ? (await accounts()).filter((account) => account.device) : [];
  for (const [id, loop] of loops) {
    if (again || !able.some((account) => account.id === id)) {
      loop.abort();
      loops.delete(id);
      if (!again) {
        known.delete(id);
      }
    }
  }
  for (const account of able) {
    if (!loops.has(account.id)) {
      const loop = new AbortController();
      loops.set(account.id, loop);
      run(account, loop.signal);
    }
  }
}

function set(account, state, waiting, signal) {
  if (!signal.aborted) {
    known.set(account.id, { state, pushes: waiting });
    tell();
  }
}

async function run(account, signal) {
  let version = "", rest = restFirst;
  while (!signal.aborted) {
    const many = loops.size > atOnce;
    await place();
    let failed = null;
    try {
      const got = await pushes(account, version, many ? turn : wait, signal);
      version = got.version;
      set(account, "ok", got.pushes, signal);
    } catch (refusal) {
      failed = refusal;
      version = "";
    } finally {
      leave();
    }
    if (failed && !signal.aborted) {
      const removed = failed.key === "engine.denied";
      set(account, removed ? "removed" : "offline", [], signal);
      await pause(Math.max(removed ? restMost : rest, failed.after ?? 0), signal);
    }
    rest = failed ? Math.min(2 * rest, restMost) : restFirst;
  }
}

// One of the places for requests.
async function place() {
  if (held >= atOnce) {
    await new Promise((resolve) => queue.push(resolve));
    return;
  }
  held++;
}

function leave() {
  const next = queue.shift();
  if (next) {
    next();
  } else {
    held--;
  }
}

const pause = (time, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, time);
  signal.addEventListener("abort", () => { clearTimeout(timer); resolve(); });
});
