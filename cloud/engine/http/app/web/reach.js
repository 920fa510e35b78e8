// Whether requests reach this device: the engine is asked for an empty event,
// which comes on the ways that sign-ins come.
import { Refusal, toBase64url } from "./base.js";
import { busy, h, notice, say } from "./dom.js";
import { asDevice, events } from "./engine.js";
import { explained } from "./form.js";
import { anew, renew } from "./notify.js";
import { refresh, streaming, tests } from "./watch.js";
import { t } from "./words.js";

const patience = 10_000; // milliseconds
const tries = 3;

// Tests that the push service has brought: what is called, by name.
const pushed = new Map();
navigator.serviceWorker?.addEventListener("message", ({ data }) => pushed.get(data?.test)?.());

// The section of an account.
export function reach(account) {
  const place = h("div", {});
  const show = (kind, text) => {
    place.querySelector(".hint")?.remove();
    place.append(notice(kind, text));
    if (kind !== "warning") {
      say(text);
    }
  };
  const button = h("button", { type: "button", onclick: () => busy(button, async () => {
    place.replaceChildren(h("p", { class: "hint" }, t("reach.wait")));
    say(t("reach.wait"));
    try {
      await check(account, show);
    } catch (refusal) {
      const often = refusal instanceof Refusal && refusal.key === "engine.throttled" && refusal.after;
      show("warning", often ? t("reach.often", { seconds: Math.ceil(refusal.after / 1000) }) : explained(refusal));
    }
  }) }, t("reach.go"));
  return h("section", {}, h("h2", {}, t("reach.title")), h("p", {}, t("reach.text")), h("div", { class: "buttons" }, button), place);
}

// Sends one test and shows what arrives, each way by itself.
async function check(account, show) {
  const id = toBase64url(crypto.getRandomValues(new Uint8Array(12)));
  const own = streaming() ? null : await stream(account);
  const began = performance.now();
  const streamed = arrival(tests, id, began), served = arrival(pushed, id, began);
  try {
    const asked = ask(account, id);
    const first = await Promise.race([streamed, asked.then(({ streams }) => streams === 0 ? null : streamed)]);
    const answer = await told(first, asked, show);
    await service(answer.push_service, answer.push_service === "sent" ? await served : null, show);
  } finally {
    own?.abort();
    tests.delete(id);
    pushed.delete(id);
  }
}

// Asks for the test. Of several engines at one address another one may hold the
// stream: who asks again reaches it.
async function ask(account, id) {
  let answer = null;
  for (let n = 0; n < tries && !answer?.streams; n++) {
    answer = await asDevice(account, "POST", "test", { body: { id }, wait: patience });
  }
  return answer;
}

// Shows how the stream did; what it has brought is shown though the answer is
// still on its way.
async function told(ms, asked, show) {
  if (ms !== null) {
    show("good", t("reach.ok", { ms }));
  }
  const answer = await asked;
  if (ms === null) {
    show("warning", t(answer.streams === 0 ? "reach.unknown" : "reach.late"));
    refresh(true);
  }
  return answer;
}

// And how the push service did.
async function service(word, ms, show) {
  if (word === "none") {
    show("info", t("reach.service.none"));
  } else if (word !== "sent") {
    show("warning", t("reach.service.failed"));
    await (word === "gone" ? anew() : renew());
  } else if (ms === null) {
    show("warning", t("reach.service.late"));
  } else {
    show("good", t("reach.service.ok", { ms }));
  }
}

// How long a test took to arrive, in milliseconds; null: too long.
const arrival = (place, id, began) => new Promise((resolve) => {
  const over = setTimeout(() => resolve(null), patience);
  place.set(id, () => {
    clearTimeout(over);
    resolve(Math.max(1, Math.round(performance.now() - began)));
  });
});

// A stream of its own, where accounts take turns: what ends it.
async function stream(account) {
  const end = new AbortController();
  await new Promise((resolve, reject) => {
    setTimeout(resolve, patience);
    events(account, end.signal, (event, data) => {
      resolve();
      if (event === "test") {
        tests.get(data.id)?.();
      }
    }).catch(reject);
  });
  return end;
}
