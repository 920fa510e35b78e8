// Bytes and texts: Base32 of otpauth addresses (RFC 4648 §6), Base64url of the
// engine (§5), and the one error that pages show to people.

// Refusal says why something was not done; key names its words. One of the
// engine's has its reason, too, where it gives one (docs/api.md).
export class Refusal extends Error {
  constructor(key, values, cause) {
    super(key, { cause });
    this.key = key;
    this.values = values;
    this.reason = "";
  }
}

// Says a refusal of one reason in words of the place where it happens.
export const told = (reason, key) => (refusal) => { throw refusal.reason === reason ? new Refusal(key, {}, refusal) : refusal; };

// Digits of any script, as keyboards write them, as 0 to 9.
export const digits = (text) => text.trim().replace(/\p{Nd}/gu, (sign) => {
  let n = 0; // digits stand from zero to nine in a row
  while (/\p{Nd}/u.test(String.fromCodePoint(sign.codePointAt(0) - n - 1))) {
    n++;
  }
  return String(n % 10);
});

// A text from elsewhere on one line, without what hides or turns parts of it.
// Joiners stay between letters: Persian, Hindi and emoji are written with them.
export function plain(text, most = 128) {
  const line = String(text ?? "").replace(/(?!(?<=[\p{L}\p{M}\p{S}])[\u200c\u200d](?=[\p{L}\p{M}\p{S}]))[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Co}\p{Cs}]/gu, " ").replace(/\s+/g, " ").trim();
  const signs = Array.from(line);
  return signs.length > most ? `${signs.slice(0, most).join("")}…` : line;
}

const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

// Bytes of a Base32 text, however it is spaced; null: it is none.
export function fromBase32(text) {
  const clean = text.replace(/[\s-]/g, "").replace(/=+$/, "").toUpperCase();
  const bytes = new Uint8Array(Math.floor(clean.length * 5 / 8));
  let held = 0, bits = 0, n = 0;
  for (const letter of clean) {
    const value = alphabet.indexOf(letter);
    if (value < 0) {
      return null;
    }
    held = (held << 5 | value) & 0xfff;
    bits += 5;
    if (bits >= 8) {
      bits -= 8;
      bytes[n++] = held >> bits;
    }
  }
  return bytes.length > 0 ? bytes : null;
}

export function toBase64url(bytes) {
  let text = "";
  for (const byte of new Uint8Array(bytes)) {
    text += String.fromCharCode(byte);
  }
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");
}

export function fromBase64url(text) {
  const plain = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
  return Uint8Array.from(plain, (c) => c.charCodeAt(0));
}

export const utf8 = (text) => new TextEncoder().encode(text);
