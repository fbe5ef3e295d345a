// The tree of tables and their columns.
import { h, problem } from './dom.js';
import { rows } from './api.js';

const SQL = `SELECT c.relname AS "table", c.relkind AS kind, a.attname AS "column", format_type(a.atttypid, a.atttypmod) AS type,
 col_description(c.oid, a.attnum) AS about, obj_description(c.oid, 'pg_class') AS purpose
FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
WHERE n.nspname = 'public' AND c.relkind IN ('r', 'v') AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relkind, c.relname, a.attnum`;

let known; // the rows, once they have been read

export const columns = (signal) => (known ??= rows(SQL, signal).catch((e) => { known = undefined; throw e; }));

// schema is the tree; insert takes a name that was chosen.
export function schema(leave, insert) {
  const tree = h('aside', { class: 'schema', 'aria-label': 'Tables' }, h('p', { class: 'quiet' }, '…'));
  columns(leave).then((list) => {
    const tables = Map.groupBy(list, (r) => r.table);
    tree.replaceChildren(...[...tables].map(([name, parts]) => h('details', {},
      h('summary', { title: parts[0].purpose }, name, h('button', { class: 'insert', title: `Insert ${name}`, onclick: (e) => { e.preventDefault(); insert(name); } }, '+')),
      h('ul', {}, parts.map((p) => h('li', { title: p.about }, h('button', { class: 'insert', onclick: () => insert(p.column) }, p.column), ' ', h('span', { class: 'quiet' }, p.type)))))));
  }).catch((error) => tree.replaceChildren(problem(error)));
  return tree;
}
