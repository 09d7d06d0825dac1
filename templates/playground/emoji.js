// Emoji: names become signs, and the signs that cards live by are drawn by the page itself, because a machine without
// an emoji font must still tell yellow from red. The sign stays in the text: it can be read, copied and searched.

import { el } from "./dom.js";

const NAMES = {
  white_check_mark: "✅", heavy_check_mark: "✔️", x: "❌", warning: "⚠️", no_entry: "⛔", no_entry_sign: "🚫",
  information_source: "ℹ️", large_yellow_circle: "🟡", large_blue_circle: "🔵", large_green_circle: "🟢", red_circle: "🔴",
  large_orange_circle: "🟠", white_circle: "⚪", rotating_light: "🚨", ship: "🚢", ferry: "⛴️", tada: "🎉", eyes: "👀",
  hourglass_flowing_sand: "⏳", arrow_right: "➡️", leftwards_arrow_with_hook: "↩️", lock: "🔒", wave: "👋", "+1": "👍",
  rewind: "⏪", fast_forward: "⏩", chart_with_upwards_trend: "📈", bell: "🔔", memo: "📝", anchor: "⚓", rocket: "🚀",
};
const DRAWN = {
  "🟡": "dot yellow", "🔵": "dot blue", "🟢": "dot green", "🔴": "dot red", "🟠": "dot orange", "⚪": "dot white",
  "✅": "tick", "❌": "cross", "⛔": "stop", "🚫": "stop", "⚠": "warn", "ℹ": "info", "⏳": "wait", "🚨": "siren",
  "🔒": "lock",
};
const SIGNS = new RegExp(`(${Object.keys(DRAWN).join("|")})\\ufe0f?`, "u");

// Text as a list of strings and drawn signs.
export function emoji(text) {
  const named = String(text).replace(/:([a-z0-9_+-]+):/g, (whole, name) => NAMES[name] ?? whole);
  return named.split(SIGNS).filter((part) => part !== "").map((part) =>
    DRAWN[part] ? el("span", { class: `sign ${DRAWN[part]}` }, part) : part);
}

// The same as plain text, for places that take no elements.
export const emojiText = (text) => String(text ?? "").replace(/:([a-z0-9_+-]+):/g, (whole, name) => NAMES[name] ?? whole);
