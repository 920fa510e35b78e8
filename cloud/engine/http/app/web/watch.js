// Waits for sign-ins while the page is seen, or while it may show notifications:
// one stream of events for each account that can approve. Browsers hold few
// connections to one address: with many accounts they take turns at asking.
import { events, pushes } from "./engine.js";
import { accounts, onChange } from "./vault.js";

const atOnce = 4; // connections
const turn = 5; // seconds of one request where accounts have to take turns
const restFirst = 1_000; // milliseconds after a failure, doubled up to restMost
const restMost = 30_000;

// What is known of each account: { state, pushes, notices }, by its id. States are
// "ok", "offline" and "removed" (the engine lets it in no more).
export const known = new Map();

// How sign-ins ended that have gone: { state, reason }, by challenge.
export const gone = new Map();

// Who waits for a test event: what is called when it comes, by its name.
export const tests = new Map();

const loops = new Map();
let tell = () => {};
let held = 0;
let turns = false; // there are more accounts than connections
const queue = [];

// Begins; heard is called whenever known has changed.
export async function begin(heard) {
  tell = heard;
  document.addEventListener("visibilitychange", () => refresh(true)); // a connection may have died unseen
  window.addEventListener("online", () => refresh(true));
  window.addEventListener("offline", () => refresh(true)); // the connections that stand would say so after a while only
  window.addEventListener("focus", () => refresh());
  onChange(() => refresh());
  await refresh();
}

const wanted = () => document.visibilityState === "visible" || (globalThis.Notification && Notification.permission === "granted");

// Starts and ends loops as accounts and the eyes on the page say.
export async function refresh(again = false) {
  const able = wanted() ? (await accounts()).filter((account) => account.device) : [];
  again ||= able.length > atOnce !== turns; // whoever holds a connection for long gives it up
  turns = able.length > atOnce;
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

function set(account, state, got, signal) {
  if (!signal.aborted) {
    known.set(account.id, { state, pushes: got.pushes ?? [], notices: got.notices ?? [] });
    tell();
  }
}

async function run(account, signal) {
  let version = "", rest = restFirst;
  while (!signal.aborted) {
    let failed = null;
    await place();
    try {
      if (turns) {
        const got = await pushes(account, version, turn, signal);
        version = got.version;
        set(account, "ok", got, signal);
      } else {
        await events(account, signal, (event, data) => {
          rest = restFirst;
          hear(account, event, data, signal);
        });
      }
    } catch (refusal) {
      failed = refusal;
      version = "";
    } finally {
      leave();
    }
    if (failed && !signal.aborted) {
      const removed = failed.reason === "not_active";
      set(account, removed ? "removed" : "offline", {}, signal);
      await pause(Math.max(removed ? restMost : rest, failed.after ?? 0), signal);
      rest = Math.min(2 * rest, restMost);
    }
  }
}

function hear(account, event, data, signal) {
  if (event === "gone") {
    gone.set(data.challenge, data);
  } else if (event === "pushes") {
    set(account, "ok", data, signal);
  } else if (event === "test") {
    tests.get(data.id)?.();
  }
}

// Whether every account has a stream of its own, or they take turns at asking.
export const streaming = () => !turns;

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
