// Calls to the gateway. Errors are thrown with the fields of PostgreSQL's.

export class SQLError extends Error {
  constructor({ message, code, detail, hint, position }) {
    super(message);
    Object.assign(this, { code, detail, hint, position });
  }
}

async function call(name, body, signal) {
  const answer = await fetch(`api/${name}`, {
    method: 'POST', signal, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body),
  });
  if (!answer.ok) {
    const failed = await answer.json().catch(() => ({ error: { message: `${answer.status} ${answer.statusText}` } }));
    throw new SQLError(failed.error);
  }
  return answer;
}

// query gives the first page of a statement's rows: columns, rows, tag, more.
export const query = async (sql, signal, max_rows) => (await call('query', { sql, max_rows }, signal)).json();

// more gives the next page by the id that the last one has.
export const more = async (id, signal) => (await call('fetch', { id }, signal)).json();

// release gives up the pages that were not asked for.
export const release = (id) => id && call('close', { id }).catch(() => {});

// rows gives the rows of a statement as objects.
export async function rows(sql, signal) {
  const page = await query(sql, signal, 5000);
  release(page.more);
  const names = page.columns.map((c) => c.name);
  return page.rows.map((row) => Object.fromEntries(row.map((v, i) => [names[i], v])));
}

// stream calls each with every line as it comes, until signal is aborted.
export async function stream(sql, each, signal) {
  const reader = (await call('stream', { sql }, signal)).body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = '';
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + value).split('\n');
    rest = lines.pop();
    for (const line of lines) {
      const part = JSON.parse(line);
      if (part.error) throw new SQLError(part.error);
      each(part);
    }
  }
}

// literal quotes a text for SQL.
export const literal = (text) => `'${String(text).replaceAll("'", "''")}'`;
