// The SQL page: editor, schema, history, results.
import { h, problem } from './dom.js';
import { query } from './api.js';
import { table } from './table.js';
import { chart } from './chart.js';
import { schema } from './schema.js';
import { complete } from './complete.js';

const FIRST = `SELECT time_bucket('1 minute', start_time) AS time, service, count(*) AS spans
FROM spans WHERE start_time > now() - interval '1 hour'
GROUP BY 1, 2 ORDER BY 1`;
const history = () => JSON.parse(localStorage.getItem('history') ?? '[]');

export function sqlPage(root, leave, given) {
  const editor = h('textarea', { spellcheck: 'false', rows: 9, 'aria-label': 'SQL', autofocus: true });
  editor.value = given || localStorage.getItem('draft') || FIRST;
  const results = h('section', { class: 'results', 'aria-live': 'polite' });
  const past = h('select', { 'aria-label': 'History', onchange: () => { if (past.value) editor.value = past.value; } });
  const remember = (sql) => {
    const list = [sql, ...history().filter((s) => s !== sql)].slice(0, 50);
    localStorage.setItem('history', JSON.stringify(list));
    recall();
  };
  const recall = () => past.replaceChildren(h('option', { value: '' }, 'History'),
    ...history().map((sql) => h('option', { value: sql }, sql.replace(/\s+/g, ' ').slice(0, 80))));
  let running = null;
  const run = async () => {
    running?.abort();
    running = new AbortController();
    const selected = editor.value.slice(editor.selectionStart, editor.selectionEnd);
    const sql = selected.trim() ? selected : editor.value;
    remember(sql);
    results.replaceChildren(h('p', { class: 'quiet' }, 'Running …'));
    const from = performance.now();
    try {
      const page = await query(sql, AbortSignal.any([running.signal, leave]));
      results.replaceChildren(...show(page, performance.now() - from));
    } catch (error) {
      results.replaceChildren(problem(error, sql));
    }
  };
  editor.addEventListener('input', () => localStorage.setItem('draft', editor.value));
  editor.addEventListener('keydown', (e) => {
    if (e.key === 'Enter' && (e.ctrlKey || e.metaKey)) {
      e.preventDefault();
      run();
    }
  });
  complete(editor, leave);
  recall();
  root.append(schema(leave, (text) => {
    editor.setRangeText(text, editor.selectionStart, editor.selectionEnd, 'end');
    editor.focus();
  }), h('div', { class: 'work' }, editor,
    h('div', { class: 'bar' }, h('button', { class: 'main', onclick: run }, 'Run'), h('button', { onclick: () => running?.abort() }, 'Stop'), past,
      h('span', { class: 'quiet' }, 'Ctrl+Enter runs · Ctrl+Space completes')), results));
  if (given) run();
}

// show gives the elements of a result.
function show(page, took) {
  const summary = h('p', { class: 'quiet' }, [page.tag, `${took.toFixed(0)} ms`].filter(Boolean).join(' · '));
  const notices = (page.notices ?? []).map((n) => h('p', { class: 'quiet' }, `NOTICE: ${n.message}`));
  if (!page.columns.length) return [summary, ...notices];
  const all = [];
  const picture = h('div', {}), draw = () => {
    picture.replaceChildren();
    const drawn = chart(page.columns, all);
    if (drawn) picture.append(drawn);
  };
  const rows = table(page, (p) => { all.push(...p.rows); draw(); });
  const save = (name, type, text) => {
    const url = URL.createObjectURL(new Blob([text], { type }));
    h('a', { href: url, download: name }).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  };
  const csv = () => save('result.csv', 'text/csv', [page.columns.map((c) => c.name), ...all].map((r) => r.map(quote).join(',')).join('\n') + '\n');
  const json = () => save('result.json', 'application/json', JSON.stringify(all.map((r) => Object.fromEntries(r.map((v, i) => [page.columns[i].name, v]))), null, 1));
  summary.append(' ', h('button', { onclick: csv }, 'CSV'), ' ', h('button', { onclick: json }, 'JSON'));
  return [summary, ...notices, picture, rows];
}

const quote = (v) => (v === null ? '' : /[",\n\r]/.test(v) || v === '' ? `"${v.replaceAll('"', '""')}"` : v);
