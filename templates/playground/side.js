// The playground's own panel: traffic, knobs, Slack's mishaps, what went over the wire. Not part of Slack, and looks it.

import { byId, el, fill, patch, toast } from "./dom.js";
import { chart } from "./chart.js";
import { turned, watched } from "./tour.js";
import { ask } from "./wire.js";

export function showTraffic(told) {
  const { snapshot } = told;
  const share = Number(snapshot.now?.share_new ?? 0);
  watched(share);
  fill(byId("traffic"),
    el("h2", {}, "Live traffic"),
    el("div", { class: "share" },
      el("div", { class: "digits", role: "status", "aria-live": "off", "aria-label": "Share of the new cluster" },
        share.toFixed(share === 0 || share === 100 ? 0 : 1), el("small", {}, "%")),
      el("div", { class: "share-words" }, "of requests reach the", el("br"), el("b", {}, "new cluster"), " right now")),
    chart(snapshot),
    el("ul", { class: "services" }, (snapshot.services || []).map(service)),
    (snapshot.notes || []).map((note) => el("p", { class: "note" }, note)));
  showKnobs(told.knobs);
}

function service(one) {
  const weight = Number(one.weight) || 0;
  return el("li", { class: one.held ? "held" : "" },
    el("span", { class: "service-name" }, one.name),
    el("span", { class: "bar" }, el("i", { style: { width: `${weight}%` } })),
    el("span", { class: "weight" }, `${weight}%`),
    one.held && el("span", { class: "badge held" }, "HELD"));
}

export function withoutTraffic() {
  byId("traffic").replaceChildren(el("h2", {}, "Live traffic"),
    el("p", { class: "note" }, "This Slack runs on its own: without the rest of the playground there is no traffic to show."));
  byId("knobs").hidden = true;
}

function showKnobs(knobs) {
  const place = byId("knobs");
  place.hidden = knobs.length === 0;
  if (!place.firstChild) place.append(el("h2", {}, "Break things"), el("div", { class: "knobs" }));
  patch(place.lastChild, knobs, (knob) => knob.id, knobNode);
}

async function turn(knob, value) {
  const answer = await ask("turn", { knob: knob.id, value });
  toast(answer.error || answer.said, answer.error ? "bad" : "good");
  if (!answer.error) turned();
}

function knobNode(knob) {
  const words = el("span", { class: "knob-words" }, el("span", { class: "knob-label" }, knob.label), knob.help && el("small", {}, knob.help));
  if (knob.kind === "action") {
    return el("div", { class: "knob" }, words, el("button", { type: "button", class: "small-btn", "aria-label": knob.label, onclick: () => turn(knob, "") }, "Do it"));
  }
  if (knob.kind === "choice") {
    const menu = el("select", { "aria-label": knob.label, onchange: () => turn(knob, menu.value) }, knob.options.map((one) => el("option", { value: one }, one)));
    menu.value = knob.value;
    return el("label", { class: "knob" }, words, menu);
  }
  const isOn = knob.value === "on";
  return el("div", { class: `knob ${isOn ? "on" : ""}` }, words,
    el("button", { type: "button", class: "switch", role: "switch", "aria-checked": String(isOn), "aria-label": knob.label, onclick: () => turn(knob, isOn ? "off" : "on") }, el("i")));
}

const MISHAPS = [
  ["rate_limit", "429", "The next 3 API calls are rate limited"],
  ["slow_ack", "Slow ack", "The next command or click arrives 4 s late"],
  ["disconnect", "Disconnect", "Slack asks the app to reconnect"],
  ["duplicate", "Duplicate event", "The next mention arrives twice"],
  ["down", "Slack down", "No API, no connections"],
  ["clear", "Back to normal", "Ends all of these"],
];

export function showSimulate(openStale) {
  byId("simulate").replaceChildren(el("h2", {}, "Simulate Slack"), el("div", { class: "mishaps" },
    MISHAPS.map(([what, label, help]) => el("button", { type: "button", class: `small-btn ${what}`, title: help, onclick: async () => {
      const answer = await ask("simulate", { what });
      toast(answer.error || answer.said, answer.error ? "bad" : "good");
    } }, label)),
    el("button", { type: "button", class: "small-btn", title: "Press a button of a version that is no longer current", onclick: openStale }, "Stale click")),
    el("p", { class: "note", id: "faults" }));
}

export function showWire(wire) {
  const pill = byId("connection");
  const up = wire.mode !== "Socket Mode" || wire.connections > 0;
  pill.className = `pill ${up ? "up" : "down"}`;
  pill.replaceChildren(el("i"), wire.mode === "Socket Mode" ? `${wire.connections} connection${wire.connections === 1 ? "" : "s"}` : wire.mode);
  byId("faults")?.replaceChildren(wire.faults.length ? `Now: ${wire.faults.join(", ")}.` : "");
  const place = byId("inspector");
  if (!place.firstChild) place.append(el("h2", {}, "Inspector"), el("div", { class: "wire", role: "list", "aria-label": "Envelopes and API calls" }));
  const rows = [...wire.deliveries.map((one) => ({ ...one, way: "to" })), ...wire.calls.map((one) => ({ ...one, way: "from" }))]
    .sort((a, b) => b.at - a.at || b.number - a.number).slice(0, 40);
  patch(place.lastChild, rows, (row) => `${row.way}${row.number}`, wireRow);
}

function wireRow(row, old) {
  const ms = row.ms === null || row.ms === undefined ? "…" : `${row.ms < 10 ? row.ms.toFixed(1) : Math.round(row.ms)} ms`;
  const words = row.way === "to" ? `${row.summary}${row.attempt ? ` (try ${row.attempt + 1})` : ""}` : row.method;
  const body = el("pre", { class: "code" }, "…");
  const node = el("details", { class: `wire-row ${row.way} ${row.error ? "bad" : ""}`, role: "listitem", ontoggle: async () => {
    if (!node.open) return;
    const answer = await ask("detail", { way: row.way, number: row.number });
    body.replaceChildren(answer.error || JSON.stringify(answer.detail, null, 2));
  } },
    el("summary", {}, el("span", { class: "way", title: row.way === "to" ? "Slack to app" : "app to Slack" }, row.way === "to" ? "→" : "←"),
      el("span", { class: "wire-words" }, words), row.error && el("span", { class: "wire-error" }, row.error), el("span", { class: "ms" }, ms)),
    body);
  node.open = old?.open ?? false;
  return node;
}
