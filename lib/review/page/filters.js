// The form of filters, and the part of the address that keeps them.

import { nice } from "./draw.js";
import { number } from "./panel.js";

export const NO_FILTER = { kind: "", joint: "", image: "", annotator: "", low: "", high: "" };
const form = document.getElementById("filters");

export const noFilter = (world) => ({ ...NO_FILTER, reviewed: world.reviewed, order: "" });
export const isFiltered = (filter) => Object.keys(NO_FILTER).some((name) => filter[name] !== "");

export function openFilters(open) {
  form.hidden = !open;
  document.getElementById("show-filters").setAttribute("aria-expanded", open);
  if (open) form.elements.kind.focus();
  else document.activeElement.blur();  // a hidden field would still take the keys
}

// Keep a filter in the address, without the token; `grid`: whether labels are shown small.
export function writeAddress(filter, grid, world) {
  const given = Object.entries({ ...filter, grid: grid ? "1" : "" });
  const kept = new URLSearchParams(given.filter(([name, value]) => value !== "" && !(name === "reviewed" && value === world.reviewed)));
  history.replaceState(null, "", location.pathname + (kept.size ? `#${kept}` : ""));
  const count = [...kept.keys()].filter((name) => !["grid", "order"].includes(name)).length;
  document.getElementById("filtered").textContent = count ? ` (${count})` : "";
}

// {filter, grid} that the address keeps.
export function readAddress(world) {
  const kept = new URLSearchParams(location.hash.slice(1)), filter = noFilter(world);
  for (const name of Object.keys(filter)) filter[name] = kept.get(name) ?? filter[name];
  return { filter, grid: kept.get("grid") === "1" };
}

export function fillForm(filter) {
  for (const [name, value] of Object.entries(filter)) form.elements[name].value = value;
}

// Prepare the form; `asked` is called with each filter that is asked for.
export function prepareFilters(world, asked) {
  const { kind, joint, annotator, low, high } = form.elements;
  for (const [name, count] of Object.entries(world.kinds)) kind.add(new Option(`${name} (${number.format(count)})`, name));
  for (const name of world.joints) joint.add(new Option(nice(name), name));
  for (const [name, wrong] of Object.entries(world.annotators)) annotator.add(new Option(`${name} (about ${number.format(wrong)} wrong)`, name));
  document.getElementById("annotators").hidden = annotator.options.length === 1;
  if (world.scores) [low.placeholder, high.placeholder] = world.scores.map((score) => score.toFixed(2));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    document.activeElement.blur();  // the next key is about the label
    asked({ ...noFilter(world), ...Object.fromEntries(new FormData(form)) });
  });
  form.addEventListener("reset", (event) => { event.preventDefault(); asked(noFilter(world)); });
  form.addEventListener("keydown", (event) => { if (event.key === "Escape") openFilters(false); });
  document.getElementById("clear").addEventListener("click", () => asked(noFilter(world)));
}
