// What is different now: anomalies(), with traces that show it.
import { h, problem, colour, traceLink } from './dom.js';
import { rows } from './api.js';

const WINDOWS = [['5 minutes against the hour before', 300, 3600], ['1 minute against 10', 60, 600], ['1 hour against the day before', 3600, 86400]];

export function anomaliesPage(root, leave) {
  const found = h('section', { 'aria-live': 'polite' });
  const pick = h('select', { onchange: () => go() }, WINDOWS.map(([name], i) => h('option', { value: i }, name)));
  const go = async () => {
    const [, current, baseline] = WINDOWS[pick.value];
    found.replaceChildren(h('p', { class: 'quiet' }, 'Comparing …'));
    try {
      const list = await rows(`SELECT * FROM anomalies(${current}, ${baseline}) ORDER BY rank, severity, score DESC`, leave);
      found.replaceChildren(...(list.length ? cards(list) : [h('p', { class: 'quiet' }, 'Nothing is different from before.')]));
    } catch (error) {
      found.replaceChildren(problem(error));
    }
  };
  root.append(h('div', { class: 'bar' }, h('label', {}, 'Compare the last ', pick), h('button', { onclick: go }, 'Again')), found);
  go();
}

const cards = (list) => [...Map.groupBy(list, (a) => a.service)].map(([service, all]) => h('article', { class: `card ${all.find((a) => a.severity !== 'low')?.severity ?? 'low'}` },
  h('h2', {}, h('span', { class: 'rank' }, all[0].rank ?? '–'), ' ', h('span', { class: `key ${colour(service)}` }, service), ' ',
    all[0].explained_by && h('small', {}, `a part of it comes from ${all[0].explained_by}`)),
  h('ul', {}, all.filter((a) => a.kind).slice(0, 6).map((a) => h('li', {}, h('span', { class: `severity ${a.severity}` }, a.severity), ' ', a.description,
    a.evidence_trace_id && [' ', traceLink(a.evidence_trace_id, 'a trace that shows it')])))));
