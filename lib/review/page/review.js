// The page's state, and what keys and buttons do. A decision is on the server's disk before the next label is shown.

import * as api from "./api.js";
import { draw, nice } from "./draw.js";
import { fillForm, isFiltered, NO_FILTER, openFilters, prepareFilters, readAddress, writeAddress } from "./filters.js";
import { BADGES, TILES, mark, tile } from "./grid.js";
import { button, describe, describeProgress, number, partnerOf, prepareLegend } from "./panel.js";

const $ = (id) => document.getElementById(id);
const AHEAD = 4;  // labels that are fetched before they are asked for
const KEPT = 60;  // details and pictures kept
const CROP = 900;

let world;  // what `api.start` says
const state = {
  filter: { ...NO_FILTER }, rows: new Int32Array(), at: 0, grid: false, zoom: 0, names: false, overlay: true,
  place: null, label: null, busy: false, turn: 0,
};
const decided = new Set();  // rows that were reviewed since the page was opened
const known = new Map(), pictures = new Map();  // details by row; loaded pictures by address

function remember(map, key, value) {
  map.set(key, value);
  if (map.size > KEPT) map.delete(map.keys().next().value);
  return value;
}

// ---- labels, and what is fetched ahead

async function details(rows) {
  const absent = rows.filter((row) => !known.has(row));
  const found = new Map(rows.filter((row) => known.has(row)).map((row) => [row, known.get(row)]));
  if (absent.length) {
    for (const label of await api.labels(absent, 0)) found.set(label.row, remember(known, label.row, label));
  }
  return rows.map((row) => found.get(row));
}

function picture(address) {
  if (!pictures.has(address)) {
    const image = new Image();
    image.src = address;
    remember(pictures, address, { image, ready: image.decode().catch(() => {}) });
  }
  return pictures.get(address).ready;
}

async function fetchAhead() {
  const next = [];
  for (let i = following(state.at); i < state.rows.length && next.length < AHEAD; i = following(i)) next.push(state.rows[i]);
  if (!next.length) return;
  await details(next);
  next.forEach((row) => picture(api.crop(row, 0, CROP)));
}

// The position of the label after `i`; what was reviewed meanwhile is not asked for again.
function following(i) {
  do i += 1; while (i < state.rows.length && state.filter.reviewed === "no" && decided.has(state.rows[i]));
  return i;
}

// ---- showing

async function refresh(message = "") {
  state.rows = await api.rows(state.filter);
  decided.clear();
  say(message);
  await show(0);
}

async function show(at) {
  const turn = ++state.turn;
  const count = state.rows.length;
  state.at = Math.max(0, Math.min(at, count - 1));
  state.place = null;
  $("nothing").hidden = count > 0;
  $("single").hidden = !count || state.grid;
  $("grid").hidden = !count || !state.grid;
  if (!count) showNothing();
  else if (state.grid) await showGrid(turn);
  else await showSingle(turn, 0);
  showProgress(turn).catch((problem) => complain(problem.message));  // it may come later than the label
}

async function showSingle(turn, zoom) {
  const row = state.rows[state.at];
  const [label] = zoom ? await api.labels([row], zoom) : await details([row]);
  await picture(api.crop(row, zoom, CROP));
  if (turn !== state.turn) return;
  state.label = label;
  state.zoom = zoom;
  redraw();
  describe(label, world, `Label ${number.format(state.at + 1)} of ${number.format(state.rows.length)}`);
  fetchAhead().catch(() => {});  // the label itself will say what is wrong
}

function redraw() {
  const label = state.label, svg = $("drawing");
  const last = label.decisions.at(-1);
  draw(svg, label, world, {
    size: svg.clientWidth || CROP, names: state.names, overlay: state.overlay,
    place: state.place ?? last?.place ?? null, picture: api.crop(label.row, state.zoom, CROP),
  });
  button("Enter").disabled = !state.place;
  button("n").setAttribute("aria-pressed", state.names);
  button("o").setAttribute("aria-pressed", state.overlay);
}

async function showGrid(turn) {
  const first = state.at - (state.at % TILES);
  const rows = [...state.rows.slice(first, first + TILES)];
  const labels = await details(rows);
  if (turn !== state.turn) return;
  const shown = [...$("tiles").children].map((each) => Number(each.dataset.row));
  if (String(shown) === String(rows)) labels.forEach((label, k) => mark($("tiles").children[k], label));
  else $("tiles").replaceChildren(...labels.map((label) => tile(label, world)));
  $("page-number").textContent = `page ${number.format(first / TILES + 1)} of ${number.format(Math.ceil(state.rows.length / TILES))}`;
  choose(labels[state.at - first]);
}

function choose(label) {
  state.label = label;
  for (const each of $("tiles").children) {
    const chosen = Number(each.dataset.row) === label.row;
    each.tabIndex = chosen ? 0 : -1;
    if (chosen) each.focus();
  }
}

function showNothing() {
  state.label = null;
  const filtered = isFiltered(state.filter);
  $("why").textContent = filtered ? "None matches the filters." : "Every label was reviewed. Stop review.py with Ctrl-C; apply_corrections.py writes the corrected labels.";
  $("clear").hidden = !filtered;
}

async function showProgress(turn) {
  const found = await api.progress(state.rows.length ? state.rows[state.at] : null);
  if (turn === state.turn) describeProgress(found);
}

const say = (text) => { $("status").textContent = text; };

function complain(text) {
  $("problem").textContent = text ? `⚠ ${text}` : "";
  $("problem").hidden = !text;
}

// ---- deciding

// The decision that a key means for a label; an Error says why there is none.
function decisionOf(key, label) {
  const row = label.row;
  if (key === "r") return { row, verdict: "right" };
  if (key === " ") return { row, verdict: "skipped" };
  if (key === "l") {
    if (!world.limbs[label.joint]) throw new Error(`${nice(label.joint)}: is of no pair of limbs, or of several.`);
    return { row, verdict: "limb" };
  }
  if (key === "s") {
    if (!world.pairs.length) throw new Error("These joints have no left and right.");
    return { row, verdict: "sides" };
  }
  if (key === "p") {
    if (!label.proposed) throw new Error("Nothing is proposed for this label.");
    return { row, verdict: "moved", x: label.proposed[0], y: label.proposed[1] };
  }
  if (key === "Enter") {
    if (!state.place) throw new Error("First drag the label to a new place, or press Shift and an arrow key.");
    return { row, verdict: "moved", x: state.place[0], y: state.place[1] };
  }
  if (label.missing) throw new Error("There is no label: it can be right so, or be added.");
  if (key === "w") return { row, verdict: "wrong" };
  const partner = state.grid ? partnerOf(label, world) : $("partner").value;
  if (!partner) throw new Error("No joint to exchange it with: show it large and choose one.");
  return { row, verdict: "exchanged", partner };
}

async function decide(key) {
  const label = state.label, decision = decisionOf(key, label);
  const answered = await api.decide(decision);
  take(answered);
  if (answered.others) await takeOthers();
  say(`Saved: ${nice(label.joint)} of annotation ${label.annotation}, ${BADGES[decision.verdict]}`);
  const next = following(state.at);
  if (next < state.rows.length) await show(next);
  else if (state.filter.reviewed === "no") await refresh(`${$("status").textContent}. That was the end of the list.`);
  else {
    await show(state.at);
    say(`${$("status").textContent}. That was the last label.`);
  }
  if (!state.grid) $("joint").focus({ preventScroll: true });
}

async function undo() {
  const { row, reviewed } = await api.undo();
  if (row === null) return say("There is nothing to undo.");
  take({ reviewed });
  if (!state.rows.includes(row)) {
    const before = state.rows.slice(0, state.at), after = state.rows.slice(state.at);
    state.rows = Int32Array.from([...before, row, ...after]);
  }
  say("Undone.");
  await show(state.rows.indexOf(row));
}

// Note which labels are reviewed now; what is known of them is out of date.
function take({ reviewed }) {
  for (const [row, done] of Object.entries(reviewed)) {
    known.delete(Number(row));
    if (done) decided.add(Number(row));
    else decided.delete(Number(row));
  }
}

// What other reviewers decided meanwhile is shown, and not asked for again.
async function takeOthers() {
  known.clear();
  if (state.filter.reviewed !== "no") return;
  const left = new Set(await api.rows(state.filter));
  for (const row of state.rows) if (!left.has(row)) decided.add(row);
}

// ---- a new place

function pointAt(event) {
  const point = new DOMPoint(event.clientX, event.clientY).matrixTransform($("drawing").getScreenCTM().inverse());
  return [point.x, point.y];
}

function putAt(place) {
  state.place = place && place.map((value) => Math.round(100 * value) / 100);
  redraw();
}

function nudge(key, large) {
  const { square, place, proposed } = state.label;
  const [x, y] = state.place ?? place ?? proposed ?? [square.x + square.side / 2, square.y + square.side / 2];
  const step = Math.max(1, square.side / $("drawing").clientWidth) * (large ? 10 : 1);
  const [dx, dy] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[key];
  putAt([x + dx * step, y + dy * step]);
}

function followPointer() {
  const svg = $("drawing");
  let from = null;
  svg.addEventListener("pointerdown", (event) => {
    if (event.button || state.busy || !state.label) return;
    from = [event.clientX, event.clientY];
    svg.setPointerCapture(event.pointerId);
    event.preventDefault();
  });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const moved = Math.hypot(event.clientX - from[0], event.clientY - from[1]);
    if (moved > 3 || state.place) putAt(pointAt(event));  // a click alone moves nothing
  });
  for (const kind of ["pointerup", "pointercancel"]) svg.addEventListener(kind, () => { from = null; });
}

// ---- keys

function columns() {
  return getComputedStyle($("tiles")).gridTemplateColumns.split(" ").length;
}

function showLarge(grid) {
  state.grid = grid;
  $("show-grid").setAttribute("aria-pressed", grid);
  writeAddress(state.filter, state.grid, world);
  return show(state.at);
}

async function zoomBy(steps) {
  const [low, high] = world.zooms, place = state.place;
  const zoom = steps ? Math.min(Math.max(state.zoom + steps, low), high) : 0;
  if (zoom === state.zoom) return;
  await showSingle(++state.turn, zoom);
  if (place) putAt(place);
}

const COMMON = {
  u: undo,
  g: () => showLarge(!state.grid),
  f: () => openFilters($("filters").hidden),
  "?": () => $("help").showModal(),
  ...Object.fromEntries(["r", "w", "p", "x", "l", "s", " "].map((key) => [key, () => state.label && decide(key)])),
};
const SINGLE = {
  Enter: () => decide("Enter"),
  Escape: () => putAt(null),
  ArrowLeft: () => show(state.at - 1),
  ArrowRight: () => following(state.at) < state.rows.length ? show(following(state.at)) : say("This is the last label."),
  "+": () => zoomBy(1),
  "=": () => zoomBy(1),
  "-": () => zoomBy(-1),
  0: () => zoomBy(0),
  n: () => { state.names = !state.names; redraw(); },
  o: () => { state.overlay = !state.overlay; redraw(); },
};
const GRID = {
  Enter: () => showLarge(false),
  ArrowLeft: () => show(state.at - 1),
  ArrowRight: () => show(state.at + 1),
  ArrowUp: () => show(state.at - columns()),
  ArrowDown: () => show(state.at + columns()),
  PageUp: () => show(state.at - TILES),
  PageDown: () => show(state.at + TILES),
};

// Do what a key means; one thing at a time, so that no decision is made about a label that is not shown yet.
async function press(key) {
  const specific = state.label ? (state.grid ? GRID : SINGLE) : {};
  const act = COMMON[key] ?? specific[key];
  if (!act || state.busy) return Boolean(act);
  state.busy = true;
  try {
    complain("");
    await act();
  } catch (problem) {
    complain(problem.message);
  } finally {
    state.busy = false;
  }
}

function onKey(event) {
  const typing = event.target.closest("input, select, dialog");
  const clicks = event.target.closest("button") && !event.target.closest(".tile") && ["Enter", " "].includes(event.key);
  if (typing || clicks || event.altKey || event.metaKey) return;
  const arrow = event.key.startsWith("Arrow");
  if (arrow && event.shiftKey && !state.grid && state.label) {
    event.preventDefault();
    if (!state.busy) nudge(event.key, event.ctrlKey);
    return;
  }
  if (event.ctrlKey) return;
  const key = event.key.length === 1 ? event.key.toLowerCase() : event.key;
  if (key in COMMON || key in (state.grid ? GRID : SINGLE)) {
    event.preventDefault();
    press(key);
  }
}

// ---- filters, which the address keeps

async function applyFilters(filter) {
  state.filter = filter;
  fillForm(filter);
  writeAddress(filter, state.grid, world);
  await refresh();
}

async function main() {
  world = await api.start();
  world.side = new Map(world.joints.map((joint, k) => [joint, world.sides[k]]));
  world.partner = new Map(world.pairs.flatMap(([a, b]) => [[a, b], [b, a]]));
  document.title = `Review of ${world.file.split(/[/\\]/).at(-1)}`;
  prepareFilters(world, (filter) => applyFilters(filter).then(() => complain(""), (problem) => complain(problem.message)));
  prepareLegend();
  followPointer();
  document.addEventListener("keydown", onKey);
  document.addEventListener("click", (event) => {
    const pressed = event.target.closest("[data-key]"), chosen = event.target.closest(".tile");
    if (pressed) press(pressed.dataset.key);
    if (chosen) { show(state.rows.indexOf(Number(chosen.dataset.row))).catch((problem) => complain(problem.message)); }
  });
  document.addEventListener("dblclick", (event) => { if (event.target.closest(".tile")) press("g"); });
  for (const [id, key] of [["show-grid", "g"], ["show-filters", "f"], ["show-help", "?"]]) $(id).addEventListener("click", () => press(key));
  new ResizeObserver(() => { if (state.label && !state.grid) redraw(); }).observe($("drawing"));
  const { filter, grid } = readAddress(world);
  state.grid = grid;
  $("show-grid").setAttribute("aria-pressed", state.grid);
  await applyFilters(filter);
}

main().catch((problem) => complain(problem.message));
