// Search for traces.
import { h, problem, ms, colour, traceLink } from './dom.js';
import { rows, literal } from './api.js';

const RANGES = ['5 minutes', '15 minutes', '1 hour', '6 hours', '1 day', '7 days'];

// condition makes the WHERE of what was filled in.
function condition(f) {
  const list = [`start_time > now() - interval ${literal(f.get('range'))}`];
  if (f.get('service')) list.push(`service = ${literal(f.get('service'))}`);
  if (f.get('operation')) list.push(`operation ILIKE ${literal(`%${f.get('operation').replace(/[\\%_]/g, '\\$&')}%`)}`);
  if (f.get('longer')) list.push(`duration_ms >= ${Number(f.get('longer')) || 0}`);
  if (f.get('status')) list.push(`status = ${literal(f.get('status'))}`);
  return list.join(' AND ');
}

const search = (f) => `WITH found AS (
  SELECT trace_id, max(start_time) AS at FROM spans WHERE ${condition(f)} GROUP BY trace_id
  ORDER BY ${f.get('order') === 'slowest' ? 'max(duration_ms)' : 'max(start_time)'} DESC LIMIT 50)
SELECT t.* FROM traces t JOIN found USING (trace_id) ORDER BY ${f.get('order') === 'slowest' ? 't.duration_ms' : 't.start_time'} DESC`;

export function tracesPage(root, leave) {
  const found = h('section', { 'aria-live': 'polite' });
  const services = h('datalist', { id: 'services' });
  const form = h('form', { class: 'bar', onsubmit: (e) => { e.preventDefault(); go(); } },
    h('label', {}, 'Service ', h('input', { name: 'service', list: 'services', size: 14 })), services,
    h('label', {}, 'Operation ', h('input', { name: 'operation', size: 16 })),
    h('label', {}, 'At least ', h('input', { name: 'longer', size: 5, inputmode: 'decimal' }), ' ms'),
    h('label', {}, 'Status ', h('select', { name: 'status' }, ['', 'error', 'ok', 'unset'].map((v) => h('option', { value: v }, v || 'any')))),
    h('label', {}, 'Last ', h('select', { name: 'range' }, RANGES.map((v) => h('option', { selected: v === '1 hour' }, v)))),
    h('label', {}, 'Order ', h('select', { name: 'order' }, ['newest', 'slowest'].map((v) => h('option', {}, v)))),
    h('button', { class: 'main' }, 'Search'),
    h('label', {}, 'or trace ', h('input', { size: 34, placeholder: 'trace id', class: 'mono', onchange: (e) => { location.hash = `#trace/${e.target.value.trim()}`; } })));
  const go = async () => {
    found.replaceChildren(h('p', { class: 'quiet' }, 'Searching …'));
    try {
      const list = await rows(search(new FormData(form)), leave);
      found.replaceChildren(list.length ? results(list) : h('p', { class: 'quiet' }, 'No trace is like that.'));
    } catch (error) {
      found.replaceChildren(problem(error));
    }
  };
  root.append(form, found);
  rows('SELECT service FROM services ORDER BY 1', leave).then((list) => services.append(...list.map((r) => h('option', { value: r.service })))).catch(() => {});
  go();
}

function results(list) {
  const longest = Math.max(...list.map((t) => Number(t.duration_ms)));
  return h('div', { class: 'scroll' }, h('table', {},
    h('thead', {}, h('tr', {}, ['Start', 'Root', 'Duration', '', 'Spans', 'Errors', 'Trace'].map((n) => h('th', { class: /Dur|Sp|Err/.test(n) ? 'number' : null }, n)))),
    h('tbody', {}, list.map((t) => h('tr', {},
      h('td', { class: 'time' }, t.start_time.slice(0, 23)),
      h('td', {}, h('span', { class: `key ${colour(t.root_service)}` }, t.root_service ?? '(no root)'), ' ', t.root_operation),
      h('td', { class: 'number' }, ms(t.duration_ms)),
      h('td', {}, h('meter', { min: 0, max: longest || 1, value: t.duration_ms, 'aria-label': 'Duration' })),
      h('td', { class: 'number' }, t.span_count),
      h('td', { class: Number(t.error_count) ? 'number bad' : 'number' }, t.error_count),
      h('td', {}, traceLink(t.trace_id)))))));
}
