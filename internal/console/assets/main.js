// Which page is shown: what stands behind # in the address.
import { h } from './dom.js';
import { sqlPage } from './sql.js';
import { tracesPage } from './traces.js';
import { tracePage } from './trace.js';
import { anomaliesPage } from './anomalies.js';
import { mapPage } from './map.js';
import { tailPage } from './tail.js';

const pages = { sql: sqlPage, traces: tracesPage, anomalies: anomaliesPage, map: mapPage, tail: tailPage, trace: tracePage };
let leave = new AbortController();

function show() {
  const [name, ...rest] = location.hash.slice(1).split('/');
  const page = pages[name] ? name : 'sql';
  leave.abort();
  leave = new AbortController(); // what the page asks for ends with it
  for (const a of document.querySelectorAll('nav a')) {
    a.toggleAttribute('aria-current', a.hash === `#${page === 'trace' ? 'traces' : page}`);
  }
  const root = h('div', { class: `page ${page}` });
  document.getElementById('page').replaceChildren(root);
  pages[page](root, leave.signal, decodeURIComponent(rest.join('/')));
}

addEventListener('hashchange', show);
addEventListener('keydown', (e) => {
  const link = e.altKey && document.querySelectorAll('nav a')[Number(e.key) - 1];
  if (link) {
    e.preventDefault();
    link.click();
  }
});

const theme = localStorage.getItem('theme');
if (theme) document.documentElement.dataset.theme = theme;
document.getElementById('theme').addEventListener('click', () => {
  const dark = document.documentElement.dataset.theme
    ? document.documentElement.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches;
  document.documentElement.dataset.theme = dark ? 'light' : 'dark';
  localStorage.setItem('theme', document.documentElement.dataset.theme);
});

show();
