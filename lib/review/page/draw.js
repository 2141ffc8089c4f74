// Draws an instance's labels on a picture of it: an SVG whose units are pixels of the image.

const SVG = "http://www.w3.org/2000/svg";

export const nice = (name) => name.replaceAll("_", " ");

export function element(name, attributes = {}, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (text) made.textContent = text;
  return made;
}

// Shapes about (0, 0), in units of the screen. Sides differ in shape and color.
const SHAPES = {
  left: "M-6 0L4 -6L4 6Z",
  right: "M6 0L-4 -6L-4 6Z",
  middle: "M-4.5 0A4.5 4.5 0 1 0 4.5 0A4.5 4.5 0 1 0 -4.5 0Z",
  label: "M-13 0A13 13 0 1 0 13 0A13 13 0 1 0 -13 0M-22 0L-8 0M22 0L8 0M0 -22L0 -8M0 22L0 8",
  proposal: "M0 -12L12 0L0 12L-12 0Z",
  place: "M-10 -10L10 10M-10 10L10 -10M-10 -10L10 -10L10 10L-10 10Z",
};

export function symbol(kind) {
  const group = element("g", { class: `mark ${kind}` });
  group.append(element("path", { class: "halo", d: SHAPES[kind] }), element("path", { d: SHAPES[kind] }));
  return group;
}

// `view`: {size: width on the screen, names: whether all joints are named, overlay: whether anything is drawn,
// place: [x, y] of a new place or null, small: whether texts are left out, picture: its address}
export function draw(svg, label, world, view) {
  const { x, y, side } = label.square;
  const unit = side / view.size;
  // A pixel's middle has whole coordinates.
  svg.setAttribute("viewBox", `${x} ${y} ${side} ${side}`);
  let [image, layer] = svg.children;
  if (image?.getAttribute("href") !== view.picture) {  // a picture that stays is not loaded again
    image = element("image", { preserveAspectRatio: "none", href: view.picture });
    layer = element("g");
    image.addEventListener("error", () => layer.append(element("text", {
      x: x + side / 2, y: y + side / 2, "text-anchor": "middle", "font-size": 16 * unit, class: "tag other" }, "image cannot be read")));
    svg.replaceChildren(image, layer);
  }
  const part = label.pictured ?? label.square;  // what the picture shows
  for (const [key, value] of Object.entries({ x: part.x, y: part.y, width: part.side, height: part.side })) image.setAttribute(key, value);
  layer.replaceChildren(...(view.overlay ? overlay(label, world, view, unit) : []));
  if (view.place) layer.append(mark("place", view.place, unit), tag("new place", view.place, unit, "place", -1, label.square));
}

function overlay(label, world, view, unit) {
  const drawn = [], places = new Map(label.others.map(({ joint, place }) => [joint, place]));
  if (label.place) places.set(label.joint, label.place);
  for (const [a, b] of world.lines) {
    if (places.has(a) && places.has(b)) drawn.push(...line(places.get(a), places.get(b), unit, "limb"));
  }
  // The proposal's name is above the place, the other names below it, unless the proposal is below the label.
  const lower = Boolean(label.proposed && label.place && label.proposed[1] > label.place[1]);
  for (const { joint, place } of label.others) {
    const marked = mark(world.side.get(joint) ?? "middle", place, unit);
    drawn.push(marked);
    if (view.small) continue;
    marked.append(element("title", {}, nice(joint)));
    if ((view.names || joint === label.partner)) drawn.push(tag(nice(joint), place, unit, joint === label.partner ? "partner" : "other", lower ? -1 : 1, label.square));
  }
  if (label.proposed) {
    if (label.place) drawn.push(...line(label.place, label.proposed, unit, "way"));
    drawn.push(mark("proposal", label.proposed, unit));
  }
  if (label.place) drawn.push(mark("label", label.place, unit));
  if (view.small) return drawn;
  if (label.proposed) drawn.push(tag(label.missing ? `${nice(label.joint)}?` : "proposal", label.proposed, unit, "proposal", lower ? 1 : -1, label.square));
  if (label.place) drawn.push(tag(nice(label.joint), label.place, unit, "label", lower ? -1 : 1, label.square));
  return drawn;
}

function mark(kind, [x, y], unit) {
  const group = symbol(kind);
  group.setAttribute("transform", `translate(${x} ${y}) scale(${unit})`);
  return group;
}

function line([x1, y1], [x2, y2], unit, kind) {
  const ends = { x1, y1, x2, y2 };
  return [element("line", { ...ends, class: `halo ${kind}` }), element("line", { ...ends, class: kind })];
}

// A name above (-1) or below (1) a place; inside of the picture, if the place is.
function tag(text, [x, y], unit, kind, direction, square) {
  const right = x > square.x + 0.7 * square.side;
  const distance = kind === "other" ? 16 : 28;  // clear of the large marks
  const inside = y > square.y && y < square.y + square.side;
  const low = square.y + 16 * unit, high = square.y + square.side - 8 * unit;
  const wanted = y + (direction * distance + 5) * unit;
  const at = inside ? Math.min(Math.max(wanted, low), high) : wanted;
  return element("text", {
    x: x + (right ? 10 : -10) * unit, y: at, "font-size": (kind === "other" ? 13 : 15) * unit,
    "stroke-width": 4 * unit, "text-anchor": right ? "end" : "start", class: `tag ${kind}`,
  }, text);
}
