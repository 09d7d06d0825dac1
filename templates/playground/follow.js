// Where a stream stands: at its newest message, or where the reader has scrolled to, with a hint that there is more below.

import { el } from "./dom.js";

const NEAR = 120; // pixels from the end that count as the end

const atEnd = (stream) => stream.scrollHeight - stream.scrollTop - stream.clientHeight < NEAR;

// Before the stream is redrawn; the answer is called afterwards with all messages, `mine` being what the reader did or was told.
export function follow(stream, place) {
  const moved = stream.dataset.place !== place;
  const reading = !moved && !atEnd(stream);
  const known = moved ? new Set() : stream.knownKeys;
  return (messages) => {
    const fresh = messages.filter((message) => !known.has(message.key));
    stream.dataset.place = place;
    stream.knownKeys = new Set(messages.map((message) => message.key));
    if (!reading || fresh.some((message) => message.mine)) toEnd(stream);
    else if (fresh.length > 0) more(stream, fresh.length);
  };
}

// It shows something that is no list of messages now.
export function leave(stream) {
  stream.dataset.place = "";
  hint(stream).hidden = true;
}

function toEnd(stream) {
  stream.scrollTop = stream.scrollHeight;
  hint(stream).hidden = true;
}

function more(stream, count) {
  const shown = hint(stream);
  shown.count = (shown.hidden ? 0 : shown.count) + count;
  shown.hidden = false;
  shown.replaceChildren(`↓ ${shown.count} new ${shown.count === 1 ? "message" : "messages"}`);
}

function hint(stream) {
  if (!stream.hint) {
    stream.hint = el("button", { type: "button", class: "newer", onclick: () => toEnd(stream) });
    stream.hint.hidden = true;
    stream.after(el("div", { class: "newer-place" }, stream.hint));
    stream.addEventListener("scroll", () => {
      if (atEnd(stream)) stream.hint.hidden = true;
    });
  }
  return stream.hint;
}
