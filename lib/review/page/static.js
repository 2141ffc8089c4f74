// In a page that is one file, in place of api.js: the same functions, on data in the page. Decisions are kept in the
// browser's storage, and given back as a file of the form that lib/review/decisions.py reads.

const ZOOM = 1.5;
const data = JSON.parse(document.getElementById("data").textContent);
const byRow = new Map(data.labels.map((label) => [label.row, label]));
const rowOf = new Map(data.labels.map((label) => [`${label.annotation} ${label.joint}`, label.row]));
const place = `lbi-review ${data.key}`;
let log = JSON.parse(localStorage.getItem(place) ?? "[]");  // all decisions, and those that undo others

function keep(decision) {
  const longer = [...log, decision];
  try {
    localStorage.setItem(place, JSON.stringify(longer));
  } catch {
    throw new Error("The browser does not keep this decision. Save what you decided, and open the page in another browser.");
  }
  log = longer;
}

function standing() {
  const undone = new Set(log.map((each) => each.undoes));
  return log.filter((each) => each.verdict !== "undo" && !undone.has(each.number));
}

// {joint: joint whose label it has in truth}; as labels_given in lib/review/decisions.py.
function labelsGiven(decision) {
  const { joint, partner, verdict } = decision;
  if (verdict === "exchanged") return new Map([[joint, partner], [partner, joint]]);
  if (verdict === "limb" || verdict === "sides") {
    const pairs = verdict === "sides" ? data.known_pairs : data.overview.limbs[joint];
    return new Map(pairs.flatMap(([a, b]) => [[a, b], [b, a]]));
  }
  return new Map([[joint, ["right", "skipped"].includes(verdict) ? joint : null]]);
}

// {"annotation joint": decision that says what is with its label}; as settled in lib/review/decisions.py.
function settled() {
  const instances = new Map();
  for (const decision of standing()) {
    const given = labelsGiven(decision), taken = new Set([...given.values()].filter(Boolean));
    const former = instances.get(decision.annotation_id) ?? new Map();
    const kept = [...former].filter(([joint, earlier]) => !given.has(joint) && !taken.has(labelsGiven(earlier).get(joint)));
    instances.set(decision.annotation_id, new Map([...kept, ...[...given.keys()].map((joint) => [joint, decision])]));
  }
  return new Map([...instances].flatMap(([number, joints]) =>
    [...joints].filter(([, each]) => each.verdict !== "skipped").map(([joint, each]) => [`${number} ${joint}`, each])));
}

function decisionsAbout(label, own) {
  const mine = own.get(`${label.annotation} ${label.joint}`);
  if (!mine) return label.decisions;
  const { joint, verdict, partner = null } = mine;
  const said = { reviewer: data.overview.reviewer, joint, verdict, partner, place: verdict === "moved" ? [mine.x, mine.y] : null };
  return [...label.decisions, said];
}

const isReviewed = (label, own) => decisionsAbout(label, own).length > 0;

// {row: whether it was reviewed} of all labels of an instance.
function reviewedWith(row) {
  const own = settled(), { annotation } = byRow.get(row);
  return Object.fromEntries(data.labels.filter((each) => each.annotation === annotation).map((each) => [each.row, isReviewed(each, own)]));
}

// Less about the label, as surroundings in lib/review/crops.py.
function zoomed(label, zoom) {
  const { x, y, side } = label.square, size = side / ZOOM ** zoom;
  const about = [label.place, label.proposed].filter(Boolean);
  const middle = (k, start) => zoom > 0 && about.length ? about.reduce((sum, each) => sum + each[k], 0) / about.length : start + side / 2;
  return { ...label, pictured: label.square, square: { x: middle(0, x) - size / 2, y: middle(1, y) - size / 2, side: size } };
}

export async function start() {
  const form = document.getElementById("give-back");
  form.hidden = false;
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    giveBack(new FormData(form).get("reviewer"));
  });
  return data.overview;
}

export async function rows(filter) {
  const own = settled(), image = filter.image.toLowerCase();
  const chosen = data.labels.filter((label) =>
    (!filter.kind || label.kind === filter.kind) && (!filter.joint || label.joint === filter.joint) &&
    (!filter.annotator || label.annotator === filter.annotator) && label.image.toLowerCase().includes(image) &&
    (filter.low === "" || (label.score !== null && label.score >= Number(filter.low))) &&
    (filter.high === "" || (label.score !== null && label.score <= Number(filter.high))) &&
    (filter.reviewed === "any" || isReviewed(label, own) === (filter.reviewed === "yes")));
  if (filter.order === "gain") chosen.sort((a, b) => b.gain - a.gain);
  return Int32Array.from(chosen, (label) => label.row);
}

export async function labels(wanted, zoom) {
  const own = settled();
  return wanted.map((row) => byRow.get(row)).map((label) => ({ ...zoomed(label, zoom), decisions: decisionsAbout(label, own) }));
}

export async function progress(row) {
  const own = settled(), score = row === null ? null : byRow.get(row).score;
  const left = data.labels.filter((label) => !isReviewed(label, own));
  const sum = (some) => some.reduce((total, label) => total + (label.probability ?? 0), 0);
  const wrong = data.labels.filter((label) => decisionsAbout(label, own).some((each) => each.verdict !== "right"));
  return {
    total: data.labels.length, reviewed: data.labels.length - left.length, wrong: wrong.length, expected: sum(left),
    expected_below: sum(left.filter((label) => score === null || (label.score !== null && label.score <= score))),
  };
}

export async function decide({ row, verdict, ...more }) {
  const { annotation, joint } = byRow.get(row);
  keep({ number: log.length + 1, time: now(), annotation_id: annotation, joint, verdict, ...more });
  return { row, reviewed: reviewedWith(row) };
}

export async function undo() {
  const last = standing().at(-1);
  if (!last) return { row: null, reviewed: {} };
  keep({ number: log.length + 1, time: now(), annotation_id: last.annotation_id, joint: last.joint, verdict: "undo", undoes: last.number });
  const row = rowOf.get(`${last.annotation_id} ${last.joint}`);
  return { row, reviewed: reviewedWith(row) };
}

export const crop = (row) => data.pictures[row];

const now = () => new Date().toISOString();

function giveBack(reviewer) {
  const lines = [data.head, ...log].map((each) => `${JSON.stringify(each)}\n`);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob(lines, { type: "application/jsonl" }));
  link.download = `decisions-${reviewer}.jsonl`;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}
