// Web Push: the engine wakes this device through the push service of its
// browser, where the engine has a key for that and somebody has allowed it.
import { fromBase64url, toBase64url } from "./base.js";
import { about, asDevice } from "./engine.js";
import { accounts } from "./vault.js";

const registration = () => navigator.serviceWorker?.getRegistration(new URL("../authenticator", import.meta.url).pathname);

// Whether the push service wakes this device.
export async function subscribed() {
  return Boolean(await (await registration())?.pushManager?.getSubscription().catch(() => null));
}

// Subscribes, and tells the engine for every account: at each start, since
// push services change addresses. Without a network, or where the browser has
// no push service, the page hears of sign-ins while it is open.
export async function renew() {
  if (!globalThis.Notification || Notification.permission !== "granted") {
    return;
  }
  try {
    const able = (await accounts()).filter((account) => account.device);
    const { push_key: key } = await about();
    const worker = await registration();
    if (!key || !worker?.pushManager || able.length === 0) {
      return;
    }
    let found = await worker.pushManager.getSubscription();
    if (found && toBase64url(found.options.applicationServerKey) !== key) {
      await found.unsubscribe();
      found = null;
    }
    found ??= await worker.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: fromBase64url(key) });
    for (const account of able) {
      const { endpoint, keys } = found.toJSON();
      await asDevice(account, "POST", "subscription", { body: { endpoint, keys } });
    }
  } catch {
    // the page still hears while it is open
  }
}

// Subscribes anew, where the push service has forgotten this device.
export async function anew() {
  await (await (await registration())?.pushManager?.getSubscription().catch(() => null))?.unsubscribe().catch(() => {});
  await renew();
}
