// Completion in the editor: Ctrl+Space, or two letters of a name.
import { h } from './dom.js';
import { rows } from './api.js';
import { columns } from './schema.js';

const KEYWORDS = `select from where group by order limit having join left lateral on and or not in between like ilike is null
 as with distinct union all case when then else end insert into values update set delete interval now() count(*) asc desc explain analyze`.split(/\s+/);
const FUNCTIONS = `SELECT DISTINCT proname AS name FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
 WHERE proname !~ '(in|out|recv|send)$' AND proname !~ '^_'`;

let words; // names in the order in which they are offered

async function names(leave) {
  if (!words) {
    const list = await columns(leave);
    const functions = await rows(FUNCTIONS, leave).catch(() => []);
    words = [...new Set([...list.map((r) => r.table), ...list.map((r) => r.column), ...KEYWORDS, ...functions.map((r) => r.name)])];
  }
  return words;
}

export function complete(editor, leave) {
  const menu = h('ul', { class: 'menu', role: 'listbox', hidden: true });
  let offered = [], chosen = 0, start = 0;
  const hide = () => { menu.hidden = true; };
  const take = (word) => {
    editor.setRangeText(word, start, editor.selectionStart, 'end');
    editor.dispatchEvent(new Event('input'));
    hide();
    editor.focus();
  };
  const offer = async (asked) => {
    const before = editor.value.slice(0, editor.selectionStart);
    const part = before.match(/[A-Za-z_][A-Za-z0-9_]*$/)?.[0] ?? '';
    if (!asked && part.length < 2) return hide();
    start = editor.selectionStart - part.length;
    const all = await names(leave).catch(() => []);
    const low = part.toLowerCase();
    offered = all.filter((w) => w.toLowerCase().startsWith(low) && w.toLowerCase() !== low).slice(0, 8);
    chosen = 0;
    draw();
  };
  const draw = () => {
    menu.replaceChildren(...offered.map((w, i) => h('li', { role: 'option', 'aria-selected': String(i === chosen), onmousedown: (e) => { e.preventDefault(); take(w); } }, w)));
    menu.hidden = !offered.length;
  };
  editor.addEventListener('input', (e) => { if (e instanceof InputEvent) offer(false); });
  editor.addEventListener('blur', hide);
  editor.addEventListener('keydown', (e) => {
    if (e.key === ' ' && e.ctrlKey) {
      e.preventDefault();
      offer(true);
    } else if (!menu.hidden && (e.key === 'ArrowDown' || e.key === 'ArrowUp')) {
      e.preventDefault();
      chosen = (chosen + (e.key === 'ArrowDown' ? 1 : offered.length - 1)) % offered.length;
      draw();
    } else if (!menu.hidden && e.key === 'Tab') {
      e.preventDefault();
      take(offered[chosen]);
    } else if (e.key === 'Escape') hide();
  });
  queueMicrotask(() => editor.after(menu));
}
