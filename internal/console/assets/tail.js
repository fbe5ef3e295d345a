// Rows as they arrive.
import { h, problem, ms, colour, traceLink } from './dom.js';
import { stream, literal } from './api.js';

const KEEP = 500; // lines on the page
const SHOWN = {
  logs: (r) => [r.timestamp, r.service, r.severity, r.body, r.trace_id],
  spans: (r) => [r.start_time, r.service, `${ms(r.duration_ms)} ${r.status === 'error' ? 'error' : ''}`, r.operation, r.trace_id],
  metrics: (r) => [r.timestamp, r.service, r.value, `${r.name} ${r.attributes ?? ''}`, null],
};

export function tailPage(root, leave) {
  const lines = h('tbody'), said = h('p', { class: 'quiet' });
  const signal = h('select', {}, Object.keys(SHOWN).map((v) => h('option', {}, v)));
  const filter = h('input', { size: 50, placeholder: "SQL condition, e.g. severity = 'ERROR'", class: 'mono' });
  let following = null;
  const stop = () => following?.abort();
  const follow = async (e) => {
    e?.preventDefault();
    stop();
    const mine = (following = new AbortController());
    lines.replaceChildren();
    said.replaceChildren('Waiting for rows …');
    const of = SHOWN[signal.value];
    let names = [], count = 0;
    try {
      await stream(`SELECT * FROM tail(${literal(signal.value)}${filter.value.trim() ? `, ${literal(filter.value)}` : ''})`, (part) => {
        if (part.columns) names = part.columns.map((c) => c.name);
        if (!part.row) return;
        const r = Object.fromEntries(part.row.map((v, i) => [names[i], v]));
        const [time, service, state, text, trace] = of(r);
        lines.prepend(h('tr', {}, h('td', { class: 'time' }, time?.slice(11, 23)), h('td', {}, h('span', { class: `key ${colour(service)}` }, service)),
          h('td', { class: /error|fatal/i.test(state ?? '') ? 'bad' : '' }, state), h('td', {}, text?.slice(0, 300)), h('td', {}, trace && traceLink(trace))));
        while (lines.childElementCount > KEEP) lines.lastChild.remove();
        count++;
        said.replaceChildren(`${count} rows${Number(r.dropped) ? `, ${r.dropped} left out` : ''}`);
      }, AbortSignal.any([mine.signal, leave]));
    } catch (error) {
      if (error.name !== 'AbortError') said.replaceChildren(problem(error));
    }
  };
  root.append(h('form', { class: 'bar', onsubmit: follow }, h('label', {}, 'Follow ', signal), h('label', {}, ' where ', filter),
    h('button', { class: 'main' }, 'Follow'), h('button', { type: 'button', onclick: stop }, 'Stop')), said, h('div', { class: 'scroll' }, h('table', {}, lines)));
  follow();
}
