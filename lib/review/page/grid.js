// The grid: a page of labels with small pictures.

import * as api from "./api.js";
import { draw, element, nice } from "./draw.js";

export const TILES = 24;
const SIZE = 200;

export const BADGES = {
  right: "✓ right", wrong: "✗ hidden", moved: "➜ moved", exchanged: "⇄ exchanged", limb: "⇆ limb", sides: "⇆ sides", skipped: "… skipped",
};

export function tile(label, world) {
  const button = document.createElement("button");
  button.className = "tile";
  button.dataset.row = label.row;
  const svg = element("svg", { "aria-hidden": "true" });
  draw(svg, label, world, { size: SIZE, overlay: true, small: true, picture: api.crop(label.row, 0, SIZE * 2) });
  const name = document.createElement("b"), text = document.createElement("span"), badge = document.createElement("em");
  name.textContent = nice(label.joint);
  text.textContent = [kindOf(label), percent(label.probability)].filter(Boolean).join(", ");
  button.append(svg, name, text, badge);
  mark(button, label);
  return button;
}

// Say on a tile what was decided.
export function mark(button, label) {
  const last = label.decisions.at(-1);
  button.classList.toggle("decided", Boolean(last));
  button.querySelector("em").textContent = last ? BADGES[last.verdict] : "";
}

// "100 %" would say that there is no doubt.
export function percent(share) {
  if (share === null) return "";
  if (share > 0.995 && share < 1) return ">99 %";
  return share > 0 && share < 0.005 ? "<1 %" : `${Math.round(100 * share)} %`;
}

export function kindOf(label) {
  if (label.missing) return "label missing";
  if (label.kind === "right") return "rather right";
  return label.kind === "exchanged" && label.partner ? `exchanged with ${nice(label.partner)}` : label.reason;
}
