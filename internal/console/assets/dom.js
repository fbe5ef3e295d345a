// Elements, made without any HTML text, so that nothing stored becomes markup.

const SVG = 'http://www.w3.org/2000/svg';

function fill(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith('on')) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((c) => c !== null && c !== undefined && c !== false));
  return node;
}

export const h = (name, attributes, ...children) => fill(document.createElement(name), attributes, children);
export const s = (name, attributes, ...children) => fill(document.createElementNS(SVG, name), attributes, children);

// problem shows an error, and where in sql it is.
export function problem(error, sql) {
  if (error.name === 'AbortError') return h('p', { class: 'quiet' }, 'Stopped.');
  const at = error.position && sql ? [...sql].slice(0, error.position - 1).join('').split('\n') : null;
  return h('div', { class: 'problem', role: 'alert' },
    h('strong', {}, error.code ? `ERROR ${error.code}: ` : 'ERROR: '), error.message,
    at && h('div', {}, `line ${at.length}, column ${at.at(-1).length + 1}`),
    error.detail && h('div', {}, `Detail: ${error.detail}`), error.hint && h('div', {}, `Hint: ${error.hint}`));
}

// ms writes a number of milliseconds.
export function ms(value) {
  const n = Number(value);
  if (!Number.isFinite(n)) return '';
  if (n >= 1000) return `${(n / 1000).toFixed(n < 10000 ? 2 : 1)} s`;
  return n >= 100 ? `${n.toFixed(0)} ms` : n >= 1 ? `${n.toFixed(1)} ms` : `${(n * 1000).toFixed(0)} µs`;
}

const COLOURS = 12;
const taken = new Map(JSON.parse(localStorage.getItem('colours') ?? '[]')); // service: number

// colour is a service's, the same on every page: the next one that is free when
// the service is first seen.
export function colour(name) {
  if (!taken.has(name)) {
    taken.set(name, taken.size % COLOURS);
    if (taken.size <= 200) localStorage.setItem('colours', JSON.stringify([...taken]));
  }
  return `service-${taken.get(name)}`;
}

// traceLink leads to a trace.
export const traceLink = (id, text) => h('a', { href: `#trace/${id}`, class: 'mono' }, text ?? id.slice(0, 12) + '…');
