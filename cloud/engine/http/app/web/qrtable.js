// What ISO/IEC 18004 lays down about QR codes: which modules carry data, and
// how the data are cut into blocks. Versions count from 1 to 40; levels are the
// two bits of the format (L is 1, M 0, Q 3, H 2).

export const sizeOf = (version) => 17 + 4 * version;

// Words of correction in a block, and blocks, by level and version (table 9).
const words = [
  [10, 16, 26, 18, 24, 16, 18, 22, 22, 26, 30, 22, 22, 24, 24, 28, 28, 26, 26, 26, 26, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28, 28],
  [7, 10, 15, 20, 26, 18, 20, 24, 30, 18, 20, 24, 26, 30, 22, 24, 28, 30, 28, 28, 28, 28, 30, 30, 26, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  [17, 28, 22, 16, 22, 28, 26, 26, 24, 28, 24, 28, 22, 24, 24, 30, 28, 28, 26, 28, 30, 24, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
  [13, 22, 18, 26, 18, 24, 18, 22, 20, 24, 28, 26, 24, 20, 30, 24, 28, 28, 26, 30, 28, 30, 30, 30, 30, 28, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30, 30],
];
const blocks = [
  [1, 1, 1, 2, 2, 4, 4, 4, 5, 5, 5, 8, 9, 9, 10, 10, 11, 13, 14, 16, 17, 17, 18, 20, 21, 23, 25, 26, 28, 29, 31, 33, 35, 37, 38, 40, 43, 45, 47, 49],
  [1, 1, 1, 1, 1, 2, 2, 2, 2, 4, 4, 4, 4, 4, 6, 6, 6, 6, 7, 8, 8, 9, 9, 10, 12, 12, 12, 13, 14, 15, 16, 17, 18, 19, 19, 20, 21, 22, 24, 25],
  [1, 1, 2, 4, 4, 4, 5, 6, 8, 8, 11, 11, 16, 16, 18, 16, 19, 21, 25, 25, 25, 34, 30, 32, 35, 37, 40, 42, 45, 48, 51, 54, 57, 60, 63, 66, 70, 74, 77, 81],
  [1, 1, 2, 2, 4, 4, 6, 6, 8, 8, 8, 10, 12, 16, 12, 17, 16, 18, 21, 20, 23, 23, 25, 27, 29, 34, 34, 35, 38, 40, 43, 45, 48, 51, 53, 56, 59, 62, 65, 68],
];

// The lengths of the blocks of a code with so many words in all:
// [{ data, correction }], short blocks first.
export function blocksOf(version, level, total) {
  const correction = words[level][version - 1], count = blocks[level][version - 1];
  const short = Math.floor(total / count) - correction, long = total % count;
  return Array.from({ length: count }, (_, i) => ({ data: short + (i >= count - long ? 1 : 0), correction }));
}

// Where the middles of alignment patterns lie, in both directions.
function alignment(version) {
  if (version === 1) {
    return [];
  }
  const count = Math.floor(version / 7) + 2;
  const step = Math.floor((version * 8 + count * 3 + 5) / (count * 4 - 4)) * 2;
  const last = sizeOf(version) - 7;
  return [6, ...Array.from({ length: count - 1 }, (_, i) => last - step * (count - 2 - i))];
}

// One for each module that carries no data, row by row.
export function fixed(version) {
  const size = sizeOf(version), mask = new Uint8Array(size * size);
  const fill = (x, y, width, height) => {
    for (let j = y; j < y + height; j++) {
      mask.fill(1, j * size + x, j * size + x + width);
    }
  };
  fill(0, 0, 9, 9); // finders with their formats
  fill(size - 8, 0, 8, 9);
  fill(0, size - 8, 9, 8);
  fill(6, 0, 1, size); // timing
  fill(0, 6, size, 1);
  const middles = alignment(version), end = middles.at(-1);
  for (const x of middles) {
    for (const y of middles) {
      if (!(x === 6 && y === 6) && !(x === 6 && y === end) && !(x === end && y === 6)) {
        fill(x - 2, y - 2, 5, 5);
      }
    }
  }
  if (version >= 7) {
    fill(size - 11, 0, 3, 6);
    fill(0, size - 11, 6, 3);
  }
  return mask;
}

// Modules that carry data, in the order in which they do.
export function path(version) {
  const size = sizeOf(version), taken = fixed(version), order = [];
  for (let right = size - 1, up = true; right > 0; right -= 2, up = !up) {
    if (right === 6) {
      right = 5; // the timing column is passed over
    }
    for (let i = 0; i < size; i++) {
      const y = up ? size - 1 - i : i;
      for (const x of [right, right - 1]) {
        if (!taken[y * size + x]) {
          order.push([x, y]);
        }
      }
    }
  }
  return order;
}

// The eight masks: whether one turns a module over.
export const masks = [
  (x, y) => (x + y) % 2 === 0,
  (x, y) => y % 2 === 0,
  (x) => x % 3 === 0,
  (x, y) => (x + y) % 3 === 0,
  (x, y) => (Math.floor(y / 2) + Math.floor(x / 3)) % 2 === 0,
  (x, y) => x * y % 2 + x * y % 3 === 0,
  (x, y) => (x * y % 2 + x * y % 3) % 2 === 0,
  (x, y) => ((x + y) % 2 + x * y % 3) % 2 === 0,
];

// The fifteen bits that say level and mask.
export function formatOf(level, mask) {
  const data = level << 3 | mask;
  let rest = data << 10;
  for (let bit = 14; bit >= 10; bit--) {
    if (rest >> bit & 1) {
      rest ^= 0x537 << bit - 10;
    }
  }
  return (data << 10 | rest) ^ 0x5412;
}
