// The service worker: keeps the files of the page, whose names and version
// stand in "kept", and shows what the engine pushes. Requests to the engine
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

const words = {
  en: { push: (name) => `Sign-in to ${name} waits`, text: "Open the Authenticator to approve or deny it.", test: "A test: requests reach this device." },
  de: { push: (name) => `Anmeldung bei ${name} wartet`, text: "Öffnen Sie den Authenticator, um sie zu bestätigen oder abzulehnen.", test: "Ein Test: Anfragen erreichen dieses Gerät." },
};

// What is pushed only wakes: whoever opens the page sees what is so. A message
// that cannot be read is shown as well, since browsers end a subscription that
// shows nothing.
self.addEventListener("push", (event) => {
  let told = {};
  try {
    told = event.data.json();
  } catch {
    // shown without details
  }
  event.waitUntil(Promise.all([self.registration.showNotification(...shown(told)), told.type === "test" ? arrived(told.id) : null]));
});

// What is shown of a message.
function shown(told) {
  const say = words[navigator.language.slice(0, 2)] ?? words.en, icon = new URL("icon-192.png", self.location).href;
  const body = { notice: String(told.text ?? "").slice(0, 300), test: say.test }[told.type];
  return [body === undefined ? say.push(String(told.application ?? "?").slice(0, 64)) : "Authenticator",
    { body: body ?? say.text, tag: String(told.challenge ?? told.type ?? ""), requireInteraction: told.type === "push", icon }];
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
