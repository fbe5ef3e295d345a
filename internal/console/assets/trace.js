// One trace: its waterfall, with logs, and comments to read and write.
import { h, s, problem, ms, colour } from './dom.js';
import { rows, literal } from './api.js';

export async function tracePage(root, leave, id) {
  root.append(h('p', { class: 'quiet' }, 'Reading …'));
  try {
    const [spans, around] = await Promise.all([
      rows(`SELECT * FROM trace_tree(${literal(id)})`, leave),
      rows(`SELECT * FROM correlate(${literal(id)}) WHERE signal IN ('log', 'comment', 'span_event') ORDER BY timestamp`, leave)]);
    if (!spans.length) {
      root.replaceChildren(h('p', { class: 'quiet' }, `There is no trace ${id}.`));
      return;
    }
    root.replaceChildren(heading(id, spans), waterfall(spans, around, leave), h('h2', {}, 'Logs and events'), timeline(around.filter((a) => a.signal !== 'comment')),
      h('h2', {}, 'Comments'), comments(root, leave, id, around.filter((a) => a.signal === 'comment')));
  } catch (error) {
    root.replaceChildren(problem(error));
  }
}

function heading(id, spans) {
  const total = Math.max(...spans.map((p) => Number(p.start_offset_ms) + Number(p.duration_ms)));
  const errors = spans.filter((p) => p.status === 'error').length;
  return h('h1', {}, `${spans[0].service}: ${spans[0].operation}`, h('small', {}, ` ${ms(total)} · ${spans.length} spans`,
    errors ? h('span', { class: 'bad' }, ` · ${errors} with errors`) : '', ' · ', h('span', { class: 'mono' }, id)));
}

function waterfall(spans, around, leave) {
  const total = Math.max(...spans.map((p) => Number(p.start_offset_ms) + Number(p.duration_ms))) || 1;
  const logs = Map.groupBy(around.filter((a) => a.signal === 'log'), (a) => a.span_id);
  const details = h('section', { class: 'details', 'aria-live': 'polite' });
  const open = async (p, line) => {
    for (const other of lines) other.removeAttribute('aria-selected');
    line.setAttribute('aria-selected', 'true');
    const list = await rows(`SELECT kind, status_message, start_time, attributes, resource_attributes FROM spans WHERE trace_id = ${literal(p.trace_id)} AND span_id = ${literal(p.span_id)}`, leave).catch(() => []);
    const found = list[0] ?? {};
    const both = { ...JSON.parse(found.resource_attributes ?? '{}'), ...JSON.parse(found.attributes ?? '{}') };
    details.replaceChildren(h('h2', {}, `${p.service}: ${p.operation}`), h('p', {}, `${found.kind ?? ''} · starts ${found.start_time ?? ''} · ${ms(p.duration_ms)}, ${ms(p.self_ms)} of its own · ${p.status} ${found.status_message ?? ''}`),
      h('dl', {}, Object.entries(both).sort().map(([k, v]) => [h('dt', {}, k), h('dd', {}, typeof v === 'string' ? v : JSON.stringify(v))])));
  };
  const lines = spans.slice(0, 5000).map((p) => {
    const line = h('div', { class: `span${p.on_critical_path === 't' ? ' critical' : ''}`, tabindex: 0, role: 'row', onclick: () => open(p, line), onkeydown: (e) => {
      if (e.key === 'Enter') open(p, line);
      const next = e.key === 'ArrowDown' ? line.nextSibling : e.key === 'ArrowUp' ? line.previousSibling : null;
      if (next) {
        e.preventDefault();
        next.focus();
      }
    } },
    h('span', { class: 'name', title: p.operation }, '\u2003'.repeat(Math.min(20, Number(p.depth))), h('span', { class: `key ${colour(p.service)}` }, p.service), ' ', p.operation),
    bar(p, total),
    h('span', { class: 'number' }, p.status === 'error' ? h('b', { class: 'bad', title: 'error' }, '✕ ') : '', logs.get(p.span_id) ? h('span', { title: 'log records' }, `☰${logs.get(p.span_id).length} `) : '', ms(p.duration_ms)));
    return line;
  });
  return h('div', { class: 'columns' }, h('div', { class: 'waterfall', title: 'Bars with an edge are on the critical path', role: 'table', 'aria-label': 'Spans' }, lines,
    spans.length > lines.length && h('p', { class: 'quiet' }, `The first ${lines.length} of ${spans.length} spans are shown.`)), details);
}

// bar places a span in the trace's time, in steps of a thousandth.
function bar(p, total) {
  return s('svg', { viewBox: '0 0 1000 14', preserveAspectRatio: 'none', class: 'time' }, s('rect', {
    x: (1000 * p.start_offset_ms) / total, y: 2, width: Math.max(2, (1000 * p.duration_ms) / total), height: 10, class: colour(p.service),
  }));
}

const timeline = (list) => (list.length
  ? h('div', { class: 'scroll' }, h('table', {}, h('tbody', {}, list.map((a) => h('tr', {}, h('td', { class: 'time' }, a.timestamp.slice(11, 23)),
    h('td', {}, h('span', { class: `key ${colour(a.service)}` }, a.service)), h('td', { class: /error|fatal/i.test(a.severity ?? '') ? 'bad' : '' }, a.severity ?? a.name), h('td', {}, a.body))))))
  : h('p', { class: 'quiet' }, 'None.'));

function comments(root, leave, id, list) {
  const text = h('input', { size: 60, 'aria-label': 'Comment', placeholder: 'What should others know of this trace?' });
  const said = h('div');
  const add = async (e) => {
    e.preventDefault();
    try {
      await rows(`INSERT INTO comments (trace_id, body) VALUES (${literal(id)}, ${literal(text.value)}) RETURNING id`, leave);
      await tracePage(root, leave, id);
    } catch (error) {
      said.replaceChildren(problem(error));
    }
  };
  return h('div', {}, list.map((c) => h('blockquote', {}, c.body, h('footer', { class: 'quiet' }, `${c.name}, ${c.timestamp.slice(0, 19)}`))),
    h('form', { class: 'bar', onsubmit: add }, text, h('button', {}, 'Add comment')), said);
}
