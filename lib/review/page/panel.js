// The panel beside the picture, and the line that says how far the review is.

import { element, nice, symbol } from "./draw.js";
import { BADGES, kindOf, percent } from "./grid.js";

const $ = (id) => document.getElementById(id);
export const number = new Intl.NumberFormat("en");
export const button = (key) => document.querySelector(`#single [data-key="${key}"]`);
const caption = (key, text) => { button(key).querySelector("span").textContent = text; };

// The joint that a label would be exchanged with, or null.
export const partnerOf = (label, world) => label.partner || world.partner.get(label.joint) || null;

// Say all that is known of a label; `place`: which of how many it is.
export function describe(label, world, place) {
  $("place").textContent = place;
  $("joint").textContent = nice(label.joint);
  const wrong = label.probability === null ? "" : `Wrong with probability ${percent(label.probability)}: `;
  $("kind").textContent = label.missing
    ? `Has no label; there should be one (${percent(label.sureness)} sure)` : `${wrong}${kindOf(label)}`;
  $("drawing").setAttribute("aria-label", `Picture of annotation ${label.annotation} with its labels`);
  caption("r", label.missing ? "Right: nothing to label" : "Right as it is");
  caption("p", label.missing ? "Add it at the proposal" : "Take the proposal");
  caption("Enter", label.missing ? "Add it at the new place" : "Move it to the new place");
  button("p").disabled = !label.proposed;
  describeLimb(world.limbs[label.joint]);
  button("w").disabled = button("x").disabled = $("partner").disabled = label.missing;
  const options = world.joints.filter((joint) => joint !== label.joint).map((joint) => new Option(nice(joint), joint));
  $("partner").replaceChildren(...options);
  $("partner").value = partnerOf(label, world) ?? options[0]?.value ?? "";
  describeDecisions(label, world);
  const facts = {
    image: label.image, annotation: label.annotation, annotator: label.annotator, rank: label.rank, score: label.score?.toFixed(3),
    "kind is sure": label.missing ? "" : percent(label.sureness), weight: label.weight?.toFixed(2),
  };
  $("facts").replaceChildren(...Object.entries(facts).filter(([, value]) => value).flatMap(([name, value]) => {
    const term = document.createElement("dt"), said = document.createElement("dd");
    term.textContent = name;
    said.textContent = value;
    return [term, said];
  }));
}

// `pairs`: (left, right) joints of the limb and that of the other side; undefined if there is no such limb.
function describeLimb(pairs) {
  caption("l", pairs ? "Left ↔ right of the limb" : "Left ↔ right: of no single limb");
  button("l").disabled = !pairs;
  button("l").title = pairs ? pairs.map((pair) => pair.map(nice).join(" ↔ ")).join(", ") : "This joint is of no pair of limbs, or of several.";
}

function describeDecisions(label, world) {
  const lines = label.decisions.map((each) => {
    const line = document.createElement("p");
    const about = each.joint === label.joint ? "" : ` (decided at the ${nice(each.joint)})`;
    line.textContent = `${BADGES[each.verdict]}, ${each.reviewer === world.reviewer ? "you said" : `says ${each.reviewer}`}${about}`;
    return line;
  });
  if (new Set(label.decisions.map((each) => `${each.verdict} ${each.partner} ${each.place}`)).size > 1) {
    lines.unshift(document.createElement("p"));
    lines[0].textContent = "⚠ Reviewers disagree";
  }
  $("earlier").replaceChildren(...lines);
}

export function describeProgress(found) {
  $("bar").max = found.total;
  $("bar").value = found.reviewed;
  const left = number.format(Math.round(found.expected)), below = number.format(Math.round(found.expected_below));
  const wrong = found.reviewed ? `, ${number.format(found.wrong)} of them wrong` : "";
  $("progress").textContent =
    `${number.format(found.reviewed)} of ${number.format(found.total)} reviewed${wrong}. ` +
    `About ${left} wrong labels are left` + (found.expected ? `, ${below} of them from this score down.` : ".");
}

export function prepareLegend() {
  const texts = {
    label: "the label in question", proposal: "where it is thought to belong", place: "a new place",
    left: "left", right: "right", middle: "neither",
  };
  $("legend").replaceChildren(...Object.entries(texts).map(([kind, text]) => {
    const entry = document.createElement("li"), picture = element("svg", { viewBox: ["left", "right", "middle"].includes(kind) ? "-11 -11 22 22" : "-23 -23 46 46", "aria-hidden": "true" });
    picture.append(symbol(kind));
    entry.append(picture, text);
    return entry;
  }));
}
