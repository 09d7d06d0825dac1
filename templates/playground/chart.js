// Where requests go: two stacked areas, errors and fallbacks as lines on top. Plain SVG, drawn anew once a second.

import { el, svg } from "./dom.js";

const WIDTH = 340;
const HEIGHT = 132;
const SECONDS = 120;
const MANY_WAITING = 5;
const LEGEND = [
  ["old", "old cluster"], ["new", "new cluster"], ["errors", "errors"], ["fallback", "saved by falling back"],
];

export function chart(snapshot) {
  const series = snapshot.series || [];
  const end = series.at(-1)?.t ?? Date.now() / 1000;
  const most = nice(Math.max(1, ...series.map((point) => (point.old || 0) + (point.new || 0))) * 1.12);
  const x = (t) => WIDTH - ((end - t) / SECONDS) * WIDTH;
  const y = (value) => HEIGHT - (Math.max(0, value) / most) * (HEIGHT - 8);
  const path = (value) => series.map((point, place) => `${place ? "L" : "M"}${x(point.t).toFixed(1)} ${y(value(point)).toFixed(1)}`).join("");
  const area = (top, bottom) => {
    if (series.length < 2) return "";
    const back = [...series].reverse().map((point) => `L${x(point.t).toFixed(1)} ${y(bottom(point)).toFixed(1)}`).join("");
    return `${path(top)}${back}Z`;
  };
  const zero = () => 0;
  const old = (point) => point.old || 0;
  const both = (point) => (point.old || 0) + (point.new || 0);
  const picture = svg("svg", {
    class: "chart", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img",
    "aria-label": "Requests a second by cluster, the last two minutes",
  },
    [0.25, 0.5, 0.75].map((part) => svg("line", { class: "grid", x1: 0, x2: WIDTH, y1: y(most * part), y2: y(most * part) })),
    svg("path", { class: "area old", d: area(old, zero) }),
    svg("path", { class: "area new", d: area(both, old) }),
    svg("path", { class: "line new", d: path(both) }),
    svg("path", { class: "line old", d: path(old) }),
    svg("path", { class: "line fallback", d: path((point) => point.fallback || 0) }),
    svg("path", { class: "line errors", d: path((point) => point.errors || 0) }));
  const now = { ...(series.at(-1) || {}), ...snapshot.now };
  return el("div", { class: "chart-place" },
    el("div", { class: "chart-scale" }, `${most} requests/s`),
    picture,
    el("div", { class: "chart-time" }, el("span", {}, "2 min ago"), el("span", {}, "now")),
    el("div", { class: "legend" }, LEGEND.map(([name, words]) =>
      el("span", { class: `key ${name}` }, el("i"), words, el("b", {}, ` ${figure(now[name])}/s`))),
    el("span", { class: `key waiting ${now.waiting > MANY_WAITING ? "many" : ""}` }, el("i"), "requests that wait for their answer", el("b", {}, ` ${figure(now.waiting)}`))));
}

const figure = (value) => (value === undefined ? "–" : value >= 100 ? Math.round(value) : Math.round(value * 10) / 10);

function nice(value) {
  const step = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 2.5, 3, 4, 5, 7.5, 10].map((times) => times * step).find((limit) => limit >= value);
}
