// The service worker: keeps the files of the page, whose names and version
// stand in "kept", and shows what the engine pushes. Requests to the engine
// pass it by.
const shelf = `mfabridge-${kept.version}`;
const page = new URL("../authenticator", self.location).href;
const addresses = new Set([page, ...kept.files.map((name) => new URL(name, self.location).href)]);

self.addEventListener("install", (event) => {
  event.waitUntil((async () => {
    const cache = await caches.open(shelf);
    await cache.addAll([...addresses].map((address) => new Request(address, { cache: "reload" })));
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

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  event.waitUntil((async () => {
    const [open] = await self.clients.matchAll({ type: "window" });
    return open ? open.focus() : self.clients.openWindow(page);
  })());
});
