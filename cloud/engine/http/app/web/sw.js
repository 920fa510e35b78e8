// The service worker: keeps the files of the page, whose names and version
// stand in "kept", and shows what the engine pushes, in "words". Requests to the engine
// pass it by.
const shelf = `mfabridge-${kept.version}`;
const page = new URL("../authenticator", self.location).href;
const addresses = new Set([page, ...kept.files.map((name) => new URL(name, self.location).href)]);

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(shelf);
    await cache.addAll([...addresses].map((address) => new Request(address, { cache: "no-cache" })));
    await self.skipWaiting();
  })());
});

self.addEventListener("activate", (event) => {
  event.waitUntil((async () => {
    for (const name of await caches.keys()) {
      if (name.startsWith("mfabridge-") && name !== shelf) {
        await caches.delete(name);
      }
    }
    await self.clients.claim();
  })());
});

self.addEventListener("fetch", (event) => {
  const address = event.request.url.split("#")[0].split("?")[0];
  if (event.request.method === "GET" && addresses.has(address)) {
    event.respondWith((async () => await (await caches.open(shelf)).match(address) ?? fetch(event.request))());
  }
});

// The words of the page, in the language that was chosen on it, else in the
// first of the browser's that there are words for. A worker has none of the
// page's storage and is ended whenever it rests: the choice lies in a cache.
async function language() {
  const chosen = await (await caches.match(new URL("language", self.location), { cacheName: "authenticator-language" }))?.text();
  const wanted = [chosen, ...navigator.languages].map((tag) => (tag ?? "").slice(0, 2).toLowerCase());
  return wanted.find((tag) => Object.hasOwn(words, tag)) ?? "en";
}

// What is pushed only wakes: whoever opens the page sees what is so. A message
// that cannot be read is shown as well, since browsers end a subscription that
// shows nothing.
self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data.json() ?? {};
  } catch {
    // shown without details
  }
  event.waitUntil(Promise.all([show(told), told.type === "test" ? arrived(told.id) : null]));
});

// Shows a message.
async function show(told) {
  const lang = await language().catch(() => "en");
  const t = (key, name, value) => words[lang][key].replace(`{${name}}`, () => String(value ?? "?").slice(0, 64));
  let title = t("name"), body = t("notice.test");
  if (told.type === "notice") {
    body = told.kind === "device_added" ? t("notice.device_added", "name", told.name) : String(told.text ?? "").slice(0, 300);
  } else if (told.type !== "test") {
    [title, body] = [t("home.waits", "application", told.application), t("notice.open")];
  }
  await self.registration.showNotification(title, { body, lang, tag: String(told.challenge ?? told.type ?? ""), requireInteraction: told.type === "push",
    icon: new URL("icon-192.png", self.location).href });
}

// Tells the page that a test has come.
async function arrived(id) {
  for (const client of await self.clients.matchAll({ type: "window", includeUncontrolled: true })) {
    client.postMessage({ test: String(id ?? "") });
  }
}

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const [open] = await self.clients.matchAll({ type: "window", includeUncontrolled: true });
    return open ? open.focus() : self.clients.openWindow(page);
  })());
});
