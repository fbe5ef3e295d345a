// A table of rows that fetches more of them when asked to.
import { h, problem, traceLink } from './dom.js';
import { more, release } from './api.js';

const isTrace = (name, v) => /(^|_)trace_id$/.test(name) && /^[0-9a-f]{32}$/.test(v);

function cell(column, v) {
  if (v === null) return h('td', { class: 'null' }, 'NULL');
  if (isTrace(column.name, v)) return h('td', {}, traceLink(v));
  const short = v.length > 300 ? v.slice(0, 300) + '…' : v;
  return h('td', { class: column.kind, title: v.length > 60 ? v.slice(0, 4000) : null }, short);
}

// table shows a page and those after it; each is told of every new page.
export function table(page, each) {
  const body = h('tbody');
  const foot = h('p', { class: 'quiet' });
  let shown = 0;
  const add = (p) => {
    for (const row of p.rows) body.append(h('tr', {}, row.map((v, i) => cell(p.columns[i], v))));
    shown += p.rows.length;
    each?.(p);
    const next = p.more && h('button', { onclick: () => go(p.more, next) }, 'More rows');
    const text = `${shown}${p.more ? '+' : ''} ${shown === 1 ? 'row' : 'rows'}${p.cut ? ', and more that are not shown' : ''} `;
    foot.replaceChildren(text, ...(next ? [next] : []));
  };
  const go = async (id, button) => {
    button.disabled = true;
    try {
      add(await more(id));
    } catch (error) {
      foot.replaceChildren(problem(error));
    }
  };
  add(page);
  addEventListener('hashchange', () => release(page.more), { once: true });
  const head = h('tr', {}, page.columns.map((c) => h('th', { class: c.kind, scope: 'col' }, c.name)));
  return h('div', {}, h('div', { class: 'scroll' }, h('table', {}, h('thead', {}, head), body)), foot);
}
