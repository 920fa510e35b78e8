// Codes of RFC 4226 and RFC 6238, and the otpauth addresses that carry their
// secrets.
import { Refusal, fromBase32, plain } from "./base.js";

const maxAddress = 2048; // characters
const maxSecret = 128; // bytes
const maxName = 128; // characters
export const hashes = { SHA1: "SHA-1", SHA256: "SHA-256", SHA512: "SHA-512" };

// The code of a counter; key is an HMAC key of the right hash.
export async function codeOf(key, counter, digits) {
  const message = new DataView(new ArrayBuffer(8));
  message.setBigUint64(0, BigInt(counter));
  const mac = new Uint8Array(await crypto.subtle.sign("HMAC", key, message.buffer));
  const at = mac[mac.length - 1] & 0xf;
  const value = new DataView(mac.buffer).getUint32(at) & 0x7fffffff;
  return String(value % 10 ** digits).padStart(digits, "0");
}

// The step of a time in seconds.
export const stepOf = (seconds, period) => Math.floor(seconds / period);

// What an otpauth address says: { label, issuer, secret, oath }.
export function readAddress(text) {
  const trimmed = text.trim();
  const parts = /^otpauth:\/\/([^/?#]+)\/([^?#]*)\?([^#]*)/i.exec(trimmed);
  if (!parts || trimmed.length > maxAddress) {
    throw new Refusal("import.none");
  }
  const type = parts[1].toLowerCase();
  if (type !== "totp" && type !== "hotp") {
    throw new Refusal("import.kind", { kind: type.slice(0, 20) });
  }
  const given = parameters(parts[3]);
  const { issuer, label } = names(decoded(parts[2]), given.get("issuer"));
  const secret = fromBase32(given.get("secret") ?? "");
  if (!secret || secret.length > maxSecret) {
    throw new Refusal("import.secret");
  }
  return { label, issuer, secret, oath: { type, ...numbers(type, given) } };
}

// What somebody types who has only the secret.
export function readSecret(text, label, issuer) {
  const secret = fromBase32(text);
  if (!secret || secret.length > maxSecret) {
    throw new Refusal("import.secret");
  }
  return { label: clean(label), issuer: clean(issuer), secret, oath: { type: "totp", algorithm: "SHA1", digits: 6, period: 30 } };
}

function parameters(query) {
  const given = new Map();
  for (const [name, value] of new URLSearchParams(query)) {
    if (given.has(name.toLowerCase())) {
      throw new Refusal("import.twice", { name: name.slice(0, 20) });
    }
    given.set(name.toLowerCase(), value);
  }
  return given;
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw new Refusal("import.none");
  }
}

// "Issuer:account", or one of the two.
function names(path, issuer) {
  const at = path.indexOf(":");
  const before = at < 0 ? "" : path.slice(0, at);
  return { issuer: clean(issuer || before), label: clean(path.slice(at + 1)) };
}

const clean = (text) => plain(text, maxName);

function numbers(type, given) {
  const algorithm = (given.get("algorithm") || "SHA1").toUpperCase().replace("-", "");
  if (!hashes[algorithm]) {
    throw new Refusal("import.hash", { hash: algorithm.slice(0, 20) });
  }
  const oath = { algorithm, digits: whole(given, "digits", 6, 6, 8) };
  if (oath.digits === 7) {
    throw new Refusal("import.number", { name: "digits" });
  }
  if (type === "hotp") {
    oath.counter = whole(given, "counter", 0, 0, Number.MAX_SAFE_INTEGER - 1);
  } else {
    oath.period = whole(given, "period", 30, 5, 300);
  }
  return oath;
}

function whole(given, name, usual, least, most) {
  const text = given.get(name);
  if (text === undefined || text === "") {
    return usual;
  }
  const value = Number(text);
  if (!/^\d{1,16}$/.test(text) || value < least || value > most) {
    throw new Refusal("import.number", { name });
  }
  return value;
}
