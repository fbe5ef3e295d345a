// A chart of a result: lines over its time column, or bars over its text.
import { h, s, colour } from './dom.js';

const WIDTH = 900, HEIGHT = 260, LEFT = 60, BOTTOM = 24, TOP = 8;
const compact = new Intl.NumberFormat('en', { notation: 'compact', maximumFractionDigits: 2 });

// chart draws columns and rows; null where there is no number to draw.
export function chart(columns, rows) {
  const numbers = columns.flatMap((c, i) => (c.kind === 'number' ? [i] : []));
  const time = columns.findIndex((c) => c.kind === 'time');
  const text = columns.findIndex((c) => c.kind === 'text');
  if (!numbers.length || !rows.length || (time < 0 && text < 0)) return null;
  return time >= 0 ? lines(columns, rows, time, text, numbers) : bars(columns, rows, text, numbers[0]);
}

function lines(columns, rows, time, text, numbers) {
  const series = new Map();
  for (const row of rows) {
    const x = Date.parse(row[time]?.replace(' ', 'T').replace(/([+-]\d\d)$/, '$1:00'));
    if (!Number.isFinite(x)) continue;
    for (const i of numbers) {
      if (row[i] === null || !Number.isFinite(Number(row[i]))) continue;
      const name = [text >= 0 ? row[text] : null, numbers.length > 1 || text < 0 ? columns[i].name : null].filter(Boolean).join(' ');
      if (!series.has(name)) series.set(name, []);
      series.get(name).push([x, Number(row[i])]);
    }
  }
  const points = [...series.values()].flat();
  if (!points.length) return null;
  const [x0, x1] = extent(points.map((p) => p[0])), [, high] = extent(points.map((p) => p[1])), low = Math.min(0, ...points.map((p) => p[1]));
  const x = (v) => LEFT + ((WIDTH - LEFT - 8) * (v - x0)) / (x1 - x0 || 1);
  const y = (v) => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * (v - low)) / (high - low || 1);
  const drawn = [...series].slice(0, 12);
  const svg = s('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: 'chart', role: 'img', 'aria-label': 'Chart' }, grid(low, high, y),
    [0, 0.25, 0.5, 0.75, 1].map((f) => s('text', { x: x(x0 + f * (x1 - x0)), y: HEIGHT - 6, class: f === 1 ? 'end' : f ? 'middle' : '' },
      new Date(x0 + f * (x1 - x0)).toISOString().slice(x1 - x0 > 864e5 ? 5 : 11, x1 - x0 > 864e5 ? 16 : 19).replace('T', ' '))),
    drawn.map(([name, list]) => s('polyline', {
      class: `line ${colour(name)}`, points: list.sort((a, b) => a[0] - b[0]).map((p) => `${x(p[0]).toFixed(1)},${y(p[1]).toFixed(1)}`).join(' '),
    }, s('title', {}, name))));
  return h('figure', {}, svg, h('figcaption', {}, drawn.map(([name]) => h('span', { class: `key ${colour(name)}` }, name)),
    series.size > drawn.length && h('span', {}, `and ${series.size - drawn.length} more`)));
}

function bars(columns, rows, text, number) {
  const list = rows.slice(0, 30).map((r) => [r[text] ?? 'NULL', Number(r[number])]);
  const high = Math.max(0, ...list.map((r) => r[1])), low = Math.min(0, ...list.map((r) => r[1]));
  const wide = (v) => (560 * Math.abs(v)) / (high - low || 1);
  return h('figure', {}, s('svg', { viewBox: `0 0 ${WIDTH} ${list.length * 22 + 4}`, class: 'chart', role: 'img', 'aria-label': 'Chart' },
    list.map(([name, v], i) => s('g', { transform: `translate(0 ${i * 22})` },
      s('text', { x: 210, y: 15, class: 'end' }, name.slice(0, 30)),
      s('rect', { x: 220, y: 3, width: Math.max(1, wide(v)), height: 16, class: colour(name) }),
      s('text', { x: 226 + wide(v), y: 15 }, compact.format(v))))),
  h('figcaption', {}, columns[number].name));
}

function grid(low, high, y) {
  return [0, 0.25, 0.5, 0.75, 1].map((f) => {
    const v = low + f * (high - low);
    return [s('line', { x1: LEFT, x2: WIDTH - 8, y1: y(v), y2: y(v), class: 'grid' }), s('text', { x: LEFT - 6, y: y(v) + 4, class: 'end' }, compact.format(v))];
  });
}

function extent(list) {
  let low = Infinity, high = -Infinity;
  for (const v of list) [low, high] = [Math.min(low, v), Math.max(high, v)];
  return [low, high];
}
