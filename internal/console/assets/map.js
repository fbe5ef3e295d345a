// The service map: who calls whom, callers to the left.
import { h, s, problem, ms, colour } from './dom.js';
import { rows, literal } from './api.js';

const WIDE = 190, HIGH = 74, BOX = 130, TALL = 34;

export function mapPage(root, leave) {
  const found = h('section');
  const range = h('select', { onchange: () => go() }, ['5 minutes', '1 hour', '1 day'].map((v) => h('option', { selected: v === '1 hour' }, v)));
  const go = async () => {
    found.replaceChildren(h('p', { class: 'quiet' }, 'Reading …'));
    try {
      const edges = await rows(`SELECT * FROM service_graph(now() - interval ${literal(range.value)}, now())`, leave);
      found.replaceChildren(edges.length ? picture(edges) : h('p', { class: 'quiet' }, 'No service called another.'), edges.length ? list(edges) : '');
    } catch (error) {
      found.replaceChildren(problem(error));
    }
  };
  root.append(h('div', { class: 'bar' }, h('label', {}, 'Last ', range)), found);
  go();
}

// layers puts each service one to the right of its furthest caller; a cycle is
// cut where it is first met.
function layers(edges) {
  const out = Map.groupBy(edges, (e) => e.source), depth = new Map();
  const visit = (name, d, path) => {
    if (path.has(name) || (depth.get(name) ?? -1) >= d) return;
    depth.set(name, d);
    path.add(name);
    for (const e of out.get(name) ?? []) visit(e.target, d + 1, path);
    path.delete(name);
  };
  const called = new Set(edges.filter((e) => e.source !== e.target).map((e) => e.target));
  for (const e of edges) if (!called.has(e.source)) visit(e.source, 0, new Set());
  for (const e of edges) if (!depth.has(e.source)) visit(e.source, 0, new Set()); // only cycles lead there
  return depth;
}

function picture(edges) {
  const at = new Map(), rowsOf = new Map();
  for (const [name, d] of [...layers(edges)].sort((a, b) => a[1] - b[1] || a[0].localeCompare(b[0]))) {
    const y = rowsOf.get(d) ?? 0;
    rowsOf.set(d, y + 1);
    at.set(name, [d * WIDE + 10, y * HIGH + 14]);
  }
  const width = Math.max(...[...at.values()].map((p) => p[0])) + BOX + 10, height = Math.max(...rowsOf.values()) * HIGH;
  const most = Math.max(...edges.map((e) => Number(e.call_count)));
  const line = (e) => {
    const [x0, y0] = at.get(e.source), [x1, y1] = at.get(e.target);
    const from = [x0 + BOX, y0 + TALL / 2], to = [x1, y1 + TALL / 2], bend = Math.max(30, (to[0] - from[0]) / 2);
    const share = Number(e.error_count) / Number(e.call_count);
    return s('g', {}, s('path', { d: `M${from} C${from[0] + bend},${from[1]} ${to[0] - bend},${to[1]} ${to}`, class: `edge${share > 0.01 ? ' failing' : ''}`, 'stroke-width': 1 + (4 * Number(e.call_count)) / most },
      s('title', {}, `${e.source} → ${e.target}: ${e.call_count} calls, ${e.error_count} failed, p95 ${ms(e.p95_ms)}`)));
  };
  return h('div', { class: 'scroll' }, s('svg', { width, height, class: 'map', role: 'img', 'aria-label': 'Service map' }, edges.map(line),
    [...at].map(([name, [x, y]]) => s('g', { transform: `translate(${x} ${y})` },
      s('rect', { width: BOX, height: TALL, rx: 5, class: colour(name) }), s('text', { x: BOX / 2, y: 22, class: 'middle' }, name.length > 17 ? name.slice(0, 16) + '…' : name, s('title', {}, name))))));
}

const list = (edges) => h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, h('tr', {}, ['Caller', 'Called', 'Calls', 'Failed', 'p95', 'Kind'].map((n) => h('th', { class: /Calls|Fail|p95/.test(n) ? 'number' : null }, n)))),
  h('tbody', {}, edges.map((e) => h('tr', {}, h('td', {}, e.source), h('td', {}, e.target), h('td', { class: 'number' }, e.call_count),
    h('td', { class: Number(e.error_count) ? 'number bad' : 'number' }, e.error_count), h('td', { class: 'number' }, ms(e.p95_ms)), h('td', {}, e.connection_type))))));
