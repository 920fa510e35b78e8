// Finds a QR code in a picture, straight or tilted, dark on light or light on
// dark, and reads it.
import { sizeOf } from "./qrtable.js";
import { textOf } from "./qrdata.js";

const maxFinders = 12; // candidates that are looked at
const maxTriples = 24; // and groups of three of them

// The text of a code in an ImageData; null: none was found.
export function readCode({ data, width, height }) {
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    grey[i] = (data[4 * i] * 77 + data[4 * i + 1] * 151 + data[4 * i + 2] * 28) >> 8;
  }
  for (const dark of [nearby(grey, width, height), overall(grey)]) {
    for (const turned of [0, 1]) {
      const text = readDark(turned ? dark.map((bit) => bit ^ 1) : dark, width, height);
      if (text !== null) {
        return text;
      }
    }
  }
  return null;
}

// Dark is what is darker than its neighbourhood: pictures are lit unevenly.
function nearby(grey, width, height) {
  const sums = new Float64Array((width + 1) * (height + 1)), line = width + 1;
  for (let y = 0; y < height; y++) {
    for (let x = 0, sum = 0; x < width; x++) {
      sum += grey[y * width + x];
      sums[(y + 1) * line + x + 1] = sums[y * line + x + 1] + sum;
    }
  }
  const dark = new Uint8Array(width * height), reach = Math.max(8, Math.min(width, height) >> 3);
  for (let y = 0; y < height; y++) {
    const top = Math.max(0, y - reach), bottom = Math.min(height, y + reach + 1);
    for (let x = 0; x < width; x++) {
      const left = Math.max(0, x - reach), right = Math.min(width, x + reach + 1);
      const sum = sums[bottom * line + right] - sums[top * line + right] - sums[bottom * line + left] + sums[top * line + left];
      dark[y * width + x] = grey[y * width + x] * (bottom - top) * (right - left) < sum * 0.92 ? 1 : 0;
    }
  }
  return dark;
}

// Dark is what is darker than the middle between the lightest and the darkest.
function overall(grey) {
  const [least, most] = grey.reduce(([a, b], value) => [Math.min(a, value), Math.max(b, value)], [255, 0]);
  return grey.map((value) => value < (least + most) / 2 ? 1 : 0);
}

function readDark(dark, width, height) {
  const picture = { dark, width, height, at: (x, y) => x >= 0 && y >= 0 && x < width && y < height ? dark[Math.floor(y) * width + Math.floor(x)] : 0 };
  for (const corners of triples(finders(picture))) {
    const text = readAt(picture, corners);
    if (text !== null) {
      return text;
    }
  }
  return null;
}

// Whether five runs are as 1:1:3:1:1.
function isFinder(runs) {
  const unit = runs.reduce((sum, run) => sum + run, 0) / 7;
  return unit >= 1 && runs.every((run, i) => Math.abs(run - unit * (i === 2 ? 3 : 1)) <= unit * (i === 2 ? 1.2 : 0.7));
}

// The middles of what looks like a finder pattern, best first.
function finders(picture) {
  const found = [];
  for (let y = 0; y < picture.height; y++) {
    let runs = [0, 0, 0, 0, 0], colour = 0;
    for (let x = 0; x <= picture.width; x++) {
      const now = x < picture.width ? picture.dark[y * picture.width + x] : 1 - colour;
      if (now === colour) {
        runs[4]++;
        continue;
      }
      if (colour === 1 && isFinder(runs)) {
        confirm(picture, x - runs[4] - runs[3] - runs[2] / 2, y, found);
      }
      runs = [...runs.slice(1), 1];
      colour = now;
    }
  }
  return found.sort((a, b) => b.seen - a.seen).slice(0, maxFinders);
}

// Looks at a candidate the other way, and puts it to the one that it is.
function confirm(picture, x, y, found) {
  const down = across(picture, x, y, 0, 1);
  if (!down) {
    return;
  }
  const middle = y + 0.5 + down.shift;
  const right = across(picture, x, middle, 1, 0);
  if (!right) {
    return;
  }
  const at = { x: x + right.shift, y: middle, size: (down.size + right.size) / 2, seen: 1 };
  const same = found.find((f) => Math.hypot(f.x - at.x, f.y - at.y) < f.size / 3 && Math.abs(f.size - at.size) < f.size / 2);
  if (!same) {
    found.push(at);
    return;
  }
  for (const key of ["x", "y", "size"]) {
    same[key] = (same[key] * same.seen + at[key]) / (same.seen + 1);
  }
  same.seen++;
}

// The five runs through a point in a direction: their length, and how far their
// middle is from the point; null: they are not those of a finder.
function across(picture, x, y, dx, dy) {
  const arm = (sign) => {
    const runs = [0, 0, 0];
    for (let n = 0, part = 0; n < Math.max(picture.width, picture.height); n++) {
      const [px, py] = [x + sign * n * dx, y + sign * n * dy];
      const inside = px >= 0 && py >= 0 && px < picture.width && py < picture.height;
      if (picture.at(px, py) !== (part === 1 ? 0 : 1) || !inside) {
        if (++part > 2 || !inside) {
          break;
        }
      }
      runs[part]++;
    }
    return runs;
  };
  const [before, after] = [arm(-1), arm(1)];
  const runs = [before[2], before[1], before[0] + after[0] - 1, after[1], after[2]];
  if (!isFinder(runs)) {
    return null;
  }
  const sum = (list) => list[0] + list[1] + list[2];
  return { size: runs.reduce((a, b) => a + b, 0), shift: (sum(after) - sum(before)) / 2 };
}

// Groups of three that can be the corners of a square, likeliest first:
// [corner between, right, below].
function triples(found) {
  const all = [];
  for (let i = 0; i < found.length; i++) {
    for (let j = i + 1; j < found.length; j++) {
      for (let k = j + 1; k < found.length; k++) {
        const three = square(found[i], found[j], found[k]);
        if (three) {
          all.push(three);
        }
      }
    }
  }
  return all.sort((a, b) => a.off - b.off).slice(0, maxTriples).map(({ corners }) => corners);
}

const far = (a, b) => Math.hypot(a.x - b.x, a.y - b.y);

function square(a, b, c) {
  const sides = [[far(b, c), a, b, c], [far(a, c), b, c, a], [far(a, b), c, a, b]].sort((p, q) => q[0] - p[0]);
  const [longest, corner, one, other] = sides[0];
  const [m, n] = [far(corner, one), far(corner, other)];
  const sizes = [a.size, b.size, c.size];
  const off = Math.abs(m - n) / longest + Math.abs(longest - Math.hypot(m, n)) / longest + (Math.max(...sizes) - Math.min(...sizes)) / Math.max(...sizes);
  if (off > 0.9 || Math.min(m, n) < Math.max(...sizes)) {
    return null;
  }
  const turn = (one.x - corner.x) * (other.y - corner.y) - (one.y - corner.y) * (other.x - corner.x);
  return { off, corners: turn > 0 ? [corner, one, other] : [corner, other, one] };
}

// Half a finder along a line: from its middle to where its outer ring ends.
function reach(picture, from, to) {
  const length = far(from, to), [dx, dy] = [(to.x - from.x) / length, (to.y - from.y) / length];
  let changes = 0, colour = 1;
  for (let n = 0; n < length; n += 0.25) {
    const now = picture.at(from.x + dx * n, from.y + dy * n);
    if (now !== colour) {
      colour = now;
      if (++changes === 3) {
        return n;
      }
    }
  }
  return from.size / 2;
}

function readAt(picture, [corner, right, below]) {
  const unit = (reach(picture, corner, right) + reach(picture, corner, below) + reach(picture, right, corner) + reach(picture, below, corner)) / 14;
  const guess = ((far(corner, right) + far(corner, below)) / (2 * unit) + 7 - 17) / 4;
  for (const version of [0, 1, -1, 2, -2].map((d) => Math.round(guess) + d)) {
    if (version < 1 || version > 40) {
      continue;
    }
    const last = sizeOf(version) - 3.5;
    const middles = [[3.5, 3.5], [last, 3.5], [3.5, last]];
    const flat = [...middles, [last, last]], whole = { x: right.x + below.x - corner.x, y: right.y + below.y - corner.y };
    const plane = grid(flat, [corner, right, below, whole]);
    const mark = plane && version > 1 ? alignment(picture, plane, last - 3) : null;
    for (const way of [mark && grid([...middles, [last - 3, last - 3]], [corner, right, below, mark]), plane]) {
      const text = way && textOf(sample(picture, way, sizeOf(version)), version);
      if (text) {
        return text;
      }
    }
  }
  return null;
}

// Where the last alignment pattern is, near where it should be; null: nowhere.
function alignment(picture, plane, place) {
  let best = null, most = 20; // of 25 modules
  for (let dy = -4; dy <= 4; dy += 0.25) {
    for (let dx = -4; dx <= 4; dx += 0.25) {
      let right = 0;
      for (let j = -2; j <= 2; j++) {
        for (let i = -2; i <= 2; i++) {
          const dark = Math.max(Math.abs(i), Math.abs(j)) !== 1 ? 1 : 0, at = plane(place + dx + i, place + dy + j);
          right += picture.at(at.x, at.y) === dark ? 1 : 0;
        }
      }
      const score = right - Math.hypot(dx, dy) / 8;
      if (score > most) {
        [most, best] = [score, plane(place + dx, place + dy)];
      }
    }
  }
  return best;
}

// The mapping of a plane that takes four points to four others.
function grid(from, to) {
  const rows = [];
  from.forEach(([u, v], i) => {
    const { x, y } = to[i];
    rows.push([u, v, 1, 0, 0, 0, -u * x, -v * x, x], [0, 0, 0, u, v, 1, -u * y, -v * y, y]);
  });
  const c = solve(rows);
  return c && ((u, v) => {
    const w = c[6] * u + c[7] * v + 1;
    return { x: (c[0] * u + c[1] * v + c[2]) / w, y: (c[3] * u + c[4] * v + c[5]) / w };
  });
}

// Linear equations, by elimination; null: they have no single solution.
function solve(rows) {
  const n = rows.length;
  for (let i = 0; i < n; i++) {
    let pivot = i;
    for (let j = i + 1; j < n; j++) {
      if (Math.abs(rows[j][i]) > Math.abs(rows[pivot][i])) {
        pivot = j;
      }
    }
    [rows[i], rows[pivot]] = [rows[pivot], rows[i]];
    if (Math.abs(rows[i][i]) < 1e-9) {
      return null;
    }
    for (let j = 0; j < n; j++) {
      if (j !== i) {
        const factor = rows[j][i] / rows[i][i];
        for (let k = i; k <= n; k++) {
          rows[j][k] -= factor * rows[i][k];
        }
      }
    }
  }
  return rows.map((row, i) => row[n] / row[i]);
}

// The modules, each by the majority of five points of it.
function sample(picture, way, size) {
  const modules = new Uint8Array(size * size);
  for (let y = 0; y < size; y++) {
    for (let x = 0; x < size; x++) {
      let dark = 0;
      for (const [dx, dy] of [[0.5, 0.5], [0.3, 0.5], [0.7, 0.5], [0.5, 0.3], [0.5, 0.7]]) {
        const at = way(x + dx, y + dy);
        dark += picture.at(at.x, at.y);
      }
      modules[y * size + x] = dark > 2 ? 1 : 0;
    }
  }
  return modules;
}
