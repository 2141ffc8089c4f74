// Requests to the server. Each throws an Error with a sentence to show.

async function answer(path, options) {
  let response;
  try {
    response = await fetch(path, options);
  } catch {
    throw new Error("The review server does not answer. Start review.py again and open the address that it prints.");
  }
  if (response.status === 403) {
    throw new Error("This page belongs to an earlier start of review.py. Open the address that the last one printed.");
  }
  if (!response.ok) {
    const content = await response.json().catch(() => ({}));
    throw new Error(content.error ?? `The server answered ${response.status}.`);
  }
  return response;
}

const json = async (path, options) => (await answer(path, options)).json();
const post = (path, content) =>
  json(path, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(content) });

export const start = () => json("/api/start");
export const progress = (row) => json(`/api/progress${row === null ? "" : `?row=${row}`}`);
export const labels = (rows, zoom) => json(`/api/labels?rows=${rows.join(",")}&zoom=${zoom}`);
export const decide = (decision) => post("/api/decide", decision);
export const undo = () => post("/api/undo", {});
export const crop = (row, zoom, size) => `/crop/${row}?zoom=${zoom}&size=${size}`;

// The numbers of the rows that a filter selects, in their order.
export async function rows(filter) {
  const response = await answer(`/api/rows?${new URLSearchParams(filter)}`);
  return new Int32Array(await response.arrayBuffer());
}
