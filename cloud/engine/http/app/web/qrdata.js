// From the modules of a QR code to its text: format, mask, correction of
// errors (Reed and Solomon over GF(256)), segments. ISO/IEC 18004.
import { blocksOf, formatOf, masks, path, sizeOf } from "./qrtable.js";

const maxFormatErrors = 3;
const exp = new Uint8Array(512), log = new Uint8Array(256);
for (let i = 0, value = 1; i < 255; i++) {
  exp[i] = exp[i + 255] = value;
  log[value] = i;
  value = value << 1 ^ (value & 0x80 ? 0x11d : 0);
}
const times = (a, b) => a && b ? exp[log[a] + log[b]] : 0;
const over = (a, b) => a ? exp[log[a] + 255 - log[b]] : 0;

// The text of a square of modules (1 is dark, row by row); null: it is not a
// code, or too much of it is wrong.
export function textOf(modules, version) {
  const format = formatIn(modules, sizeOf(version));
  if (!format) {
    return null;
  }
  const words = wordsIn(modules, version, format.mask);
  const data = corrected(words, blocksOf(version, format.level, words.length));
  return data && segments(data, version);
}

function formatIn(modules, size) {
  const at = (x, y) => modules[y * size + x];
  const first = [], second = [];
  for (let i = 0; i < 15; i++) { // from the highest bit
    first.push(i < 6 ? at(i, 8) : i === 6 ? at(7, 8) : i === 7 ? at(8, 8) : i === 8 ? at(8, 7) : at(8, 14 - i));
    second.push(i < 7 ? at(8, size - 1 - i) : at(size - 15 + i, 8));
  }
  let best = null, least = maxFormatErrors + 1;
  for (const read of [first, second]) {
    const value = read.reduce((sum, bit) => sum << 1 | bit, 0);
    for (let data = 0; data < 32; data++) {
      const wrong = ones(value ^ formatOf(data >> 3, data & 7));
      if (wrong < least) {
        [least, best] = [wrong, { level: data >> 3, mask: data & 7 }];
      }
    }
  }
  return best;
}

function ones(value) {
  let n = 0;
  for (; value; value &= value - 1) {
    n++;
  }
  return n;
}

function wordsIn(modules, version, mask) {
  const size = sizeOf(version), order = path(version), turns = masks[mask];
  const words = new Uint8Array(order.length >> 3);
  order.slice(0, words.length * 8).forEach(([x, y], i) => {
    words[i >> 3] |= (modules[y * size + x] ^ (turns(x, y) ? 1 : 0)) << 7 - (i & 7);
  });
  return words;
}

// The data of all blocks, which lie interleaved; null: one cannot be mended.
function corrected(words, blocks) {
  const parts = blocks.map(({ data, correction }) => new Uint8Array(data + correction));
  let next = 0;
  const most = blocks.at(-1).data;
  for (let i = 0; i < most; i++) {
    blocks.forEach((block, b) => { if (i < block.data) { parts[b][i] = words[next++]; } });
  }
  for (let i = 0; i < blocks[0].correction; i++) {
    blocks.forEach((block, b) => { parts[b][block.data + i] = words[next++]; });
  }
  const data = [];
  for (const [b, part] of parts.entries()) {
    if (!mend(part, blocks[b].correction)) {
      return null;
    }
    data.push(...part.subarray(0, blocks[b].data));
  }
  return data;
}

const syndromes = (block, count) => Array.from({ length: count }, (_, i) => block.reduce((sum, word) => times(sum, exp[i]) ^ word, 0));

// Mends a block in place; false: too much of it is wrong.
function mend(block, count) {
  const s = syndromes(block, count);
  if (s.every((value) => value === 0)) {
    return true;
  }
  const locator = locate(s);
  const errors = locator.length - 1;
  const evaluator = s.map((_, i) => locator.reduce((sum, c, j) => sum ^ (j <= i ? times(c, s[i - j]) : 0), 0)).slice(0, errors);
  let found = 0;
  for (let place = 0; place < block.length; place++) {
    const inverse = (255 - place) % 255; // the exponent of the inverse of the locator's root
    if (at(locator, inverse) === 0) {
      const slope = locator.reduce((sum, c, j) => sum ^ (j & 1 ? times(c, exp[inverse * (j - 1) % 255]) : 0), 0);
      if (slope === 0) {
        return false;
      }
      block[block.length - 1 - place] ^= times(exp[place % 255], over(at(evaluator, inverse), slope));
      found++;
    }
  }
  return found === errors && syndromes(block, count).every((value) => value === 0);
}

// A polynomial, lowest power first, at a power of the root.
const at = (polynomial, exponent) => polynomial.reduce((sum, c, j) => sum ^ times(c, exp[exponent * j % 255]), 0);

// The polynomial whose roots say where the errors are (Berlekamp and Massey).
function locate(s) {
  let now = [1], before = [1], length = 0, shift = 1, last = 1;
  for (let n = 0; n < s.length; n++) {
    const off = now.reduce((sum, c, j) => sum ^ (j <= n ? times(c, s[n - j]) : 0), 0);
    if (off === 0) {
      shift++;
      continue;
    }
    const factor = over(off, last), next = now.slice();
    before.forEach((c, j) => { next[j + shift] = (next[j + shift] ?? 0) ^ times(factor, c); });
    for (let j = 0; j < next.length; j++) {
      next[j] ??= 0;
    }
    if (2 * length <= n) {
      [length, before, last, shift] = [n + 1 - length, now, off, 1];
    } else {
      shift++;
    }
    now = next;
  }
  while (now.length > 1 && now.at(-1) === 0) {
    now.pop();
  }
  return now;
}

const letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:";

// The text of the segments; null: there is one that we do not read.
function segments(data, version) {
  let place = 0;
  const take = (bits) => {
    let value = 0;
    for (; bits > 0; bits--, place++) {
      value = value << 1 | (data[place >> 3] ?? 0) >> 7 - (place & 7) & 1;
    }
    return value;
  };
  const wide = version < 10 ? 0 : version < 27 ? 1 : 2;
  const bytes = [], end = data.length * 8;
  const put = (text) => { for (const letter of text) { bytes.push(letter.charCodeAt(0)); } };
  while (end - place >= 4) {
    const mode = take(4);
    if (mode === 0) {
      break;
    } else if (mode === 1) {
      for (let left = take([10, 12, 14][wide]); left > 0 && place < end; left -= 3) {
        const digits = Math.min(3, left);
        put(String(take([0, 4, 7, 10][digits])).padStart(digits, "0"));
      }
    } else if (mode === 2) {
      for (let left = take([9, 11, 13][wide]); left > 0 && place < end; left -= 2) {
        const value = take(left > 1 ? 11 : 6);
        put(left > 1 ? letters[Math.floor(value / 45) % 45] + letters[value % 45] : letters[value % 45]);
      }
    } else if (mode === 4) {
      for (let left = take([8, 16, 16][wide]); left > 0 && place < end; left--) {
        bytes.push(take(8));
      }
    } else if (mode === 7) {
      take(take(1) === 0 ? 7 : take(1) === 0 ? 14 : 21); // a set of characters: we try UTF-8 anyway
    } else {
      return null;
    }
  }
  return place > end ? null : new TextDecoder().decode(Uint8Array.from(bytes));
}
