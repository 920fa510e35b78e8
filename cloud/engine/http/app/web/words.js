// Words in the language of the person: the browser's, or the one chosen here.
import en from "./en.js";
import de from "./de.js";

const dictionaries = { en, de };
const kept = "mfabridge-language";
const shared = new URL("language", import.meta.url); // in the cache from which the service worker takes it
export const languages = { en: "English", de: "Deutsch" };
export let language = "en";
let elsewhere = null; // chosen in another tab, and not spoken here yet

// Takes the language that was chosen, else the first of the browser's that we have.
export function begin() {
  const wanted = [remembered(), ...navigator.languages].map((tag) => (tag ?? "").slice(0, 2).toLowerCase());
  use(wanted.find((tag) => dictionaries[tag]) ?? "en");
  if (remembered() === language) {
    share(language);
  }
}

export function choose(tag) {
  try {
    localStorage.setItem(kept, tag);
  } catch {
    // it counts until the page is closed
  }
  share(tag);
  use(tag);
}

// Calls back when another language was chosen in another tab. It is spoken from
// the next page on, which adopt begins: what stands here is not mixed with it.
export function follow(chosen) {
  addEventListener("storage", ({ key, newValue }) => {
    if (key === kept && Object.hasOwn(dictionaries, newValue ?? "")) {
      elsewhere = newValue;
      chosen();
    }
  });
}

export function adopt() {
  if (elsewhere) {
    use(elsewhere);
  }
}

// Tells the service worker, which has no other storage and may be started anew
// at any time.
function share(tag) {
  globalThis.caches?.open("authenticator-language").then((cache) => cache.put(shared, new Response(tag))).catch(() => {}); // it goes by the browser's then
}

function remembered() {
  try {
    return localStorage.getItem(kept);
  } catch {
    return null;
  }
}

function use(tag) {
  [language, elsewhere] = [tag, null];
  document.documentElement.lang = tag;
}

// Whether there are words for a key.
export const has = (key) => Object.hasOwn(en, key);

// The words of a key; {name} is filled in.
export function t(key, values) {
  const text = dictionaries[language][key] ?? en[key] ?? key;
  return text.replace(/\{(\w+)\}/g, (whole, name) => values?.[name] ?? whole);
}

// A time of today as people read it, else with its day.
export function clock(date) {
  const today = new Date().toDateString() === date.toDateString();
  return new Intl.DateTimeFormat(language, today ? { timeStyle: "short" } : { dateStyle: "medium", timeStyle: "short" }).format(date);
}

// How long ago, roughly.
export function ago(seconds) {
  const f = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  return Math.abs(seconds) < 90 ? f.format(-Math.round(seconds), "second") : f.format(-Math.round(seconds / 60), "minute");
}
