// Messages in a channel and in a thread.

import { avatar, clock, el, patch, svg, toast } from "./dom.js";
import { follow } from "./follow.js";
import { blocks } from "./blocks.js";
import { directory } from "./directory.js";
import { dialog } from "./dialogs.js";
import { emoji } from "./emoji.js";
import { mrkdwn } from "./mrkdwn.js";
import { messageScreen } from "./screens.js";
import { ask } from "./wire.js";

const isReply = (message) => message.thread_ts && message.thread_ts !== message.ts;

// Roots, broadcast replies and what only the viewer sees, by time; each root knows its replies.
export function channelItems(state) {
  const replies = new Map();
  for (const message of state.messages.filter(isReply)) {
    replies.set(message.thread_ts, [...(replies.get(message.thread_ts) || []), message]);
  }
  const shown = [
    ...state.messages.filter((message) => !isReply(message) || message.subtype === "thread_broadcast"),
    ...state.ephemerals.filter((message) => !isReply(message)),
  ].sort((a, b) => Number(a.ts) - Number(b.ts));
  return shown.map((message, place) => {
    const own = isReply(message) ? [] : replies.get(message.ts) || [];
    return {
      message, viewer: state.viewer, day: dayBreak(shown[place - 1], message),
      follows: follows(shown[place - 1], message),
      replies: own.length, repliers: [...new Set(own.map((reply) => reply.user))].slice(0, 4), lastReply: own.at(-1)?.ts,
    };
  });
}

export function threadItems(state, root) {
  return [...state.messages, ...state.ephemerals]
    .filter((message) => message.ts === root || (message.thread_ts === root && message.ts !== root))
    .sort((a, b) => Number(a.ts) - Number(b.ts))
    .map((message, place, all) => ({ message, viewer: state.viewer, thread: true, follows: place > 1 && follows(all[place - 1], message) }));
}

const follows = (before, message) =>
  Boolean(before) && before.user === message.user && !before.ephemeral && !message.ephemeral && !message.blocks && !before.blocks
  && message.subtype !== "thread_broadcast" && Number(message.ts) - Number(before.ts) < 300;

function dayBreak(before, message) {
  const day = new Date(Number(message.ts) * 1000).toLocaleDateString([], { weekday: "long", month: "long", day: "numeric" });
  return !before || new Date(Number(before.ts) * 1000).toDateString() !== new Date(Number(message.ts) * 1000).toDateString() ? day : "";
}

const keyOf = (item) => `${item.message.ephemeral ? "e" : "m"}${item.message.channel}${item.message.ts}`;

// `place`: whose eyes, and where; another one begins at its newest message.
export function showMessages(stream, items, { openThread, welcome, place }) {
  const settle = follow(stream, place);
  if (items.length === 0 && welcome) stream.replaceChildren(Object.assign(welcome, { shownContent: "" }));
  else patch(stream, items, keyOf, (item) => article(item, openThread));
  settle(items.map((item) => ({ key: keyOf(item), mine: item.message.ephemeral || item.message.user === item.viewer })));
}

function article(item, openThread) {
  const { message } = item;
  const person = directory.person(message.user) || { name: message.user, real_name: message.user };
  const bot = person.bot;
  const name = bot ? directory.app.name : person.real_name;
  const parts = [
    item.day && el("div", { class: "day" }, el("span", {}, item.day)),
    message.ephemeral && el("div", { class: "only-you" }, eye(), "Only visible to you"),
    message.subtype === "thread_broadcast" && !item.thread && el("div", { class: "only-you" }, "↳ replied to a thread"),
    el("div", { class: "m" },
      el("div", { class: "m-face" }, item.follows ? el("time", { class: "m-time small" }, clock(message.ts)) : avatar(person)),
      el("div", { class: "m-body" },
        !item.follows && el("div", { class: "m-head" },
          el("b", { class: "m-name" }, name), bot && el("span", { class: "badge" }, "APP"),
          person.guest && el("span", { class: "badge guest" }, "GUEST"), person.stranger && el("span", { class: "badge guest" }, "EXTERNAL"),
          el("time", { class: "m-time", title: new Date(Number(message.ts) * 1000).toLocaleString() }, clock(message.ts))),
        content(message, messageScreen(message)),
        (message.files || []).map((file) => el("div", { class: "file" }, `📄 ${file.title} · ${file.size} bytes`)),
        message.reactions.length > 0 && el("div", { class: "reactions" }, message.reactions.map((one) => el("span", {}, emoji(`:${one}:`), " 1"))),
        message.ephemeral && el("button", { type: "button", class: "linklike", onclick: () => ask("dismiss", { ts: message.ts }) }, "Dismiss"),
        item.replies > 0 && el("button", { type: "button", class: "replies", onclick: () => openThread(message.ts) },
          item.repliers.map((id) => avatar(directory.person(id) || {}, "tiny")),
          el("b", {}, `${item.replies} ${item.replies === 1 ? "reply" : "replies"}`), el("span", {}, `Last at ${clock(item.lastReply)}`))),
      tools(item, openThread)),
  ];
  return el("article", { class: `message ${message.ephemeral ? "ephemeral" : ""} ${item.follows ? "follows" : ""}`, "aria-label": `Message from ${name}` }, parts);
}

const eye = () =>
  svg("svg", { class: "eye", viewBox: "0 0 16 16", "aria-hidden": "true" },
    svg("path", { d: "M1 8c2-3.500 4.300-5 7-5s5 1.500 7 5c-2 3.500-4.300 5-7 5s-5-1.500-7-5z" }), svg("circle", { cx: 8, cy: 8, r: 2.2 }));

export function content(message, screen) {
  const edited = message.edited ? el("span", { class: "edited" }, " (edited)") : null;
  if (message.blocks) return el("div", { class: "m-blocks" }, blocks(message.blocks, screen), edited && el("div", {}, edited));
  return el("div", { class: "b-text" }, mrkdwn(message.text), edited);
}

function tools(item, openThread) {
  const { message } = item;
  if (message.ephemeral) return null;
  const root = message.thread_ts || message.ts;
  return el("div", { class: "m-tools" },
    !item.thread && el("button", { type: "button", "aria-label": "Reply in thread", title: "Reply in thread", onclick: () => openThread(root) }, "Reply"),
    message.older && el("button", {
      type: "button", "aria-label": "Show an older version", title: "What a slower screen still shows, with live buttons", onclick: () => showOlder(message),
    }, "Older version"));
}

// A stale screen: the last version of this message that still had buttons, and they work.
export async function showOlder(message) {
  const answer = await ask("older", { channel: message.channel, ts: message.ts });
  if (answer.error) {
    toast(answer.error, "bad");
    return;
  }
  const screen = messageScreen(answer.message);
  const press = screen.press.bind(screen);
  screen.press = async (...pressed) => {
    const told = await press(...pressed);
    box.close();
    return told;
  };
  const box = dialog("An older version of this message", [
    el("p", { class: "note" }, "Somebody else's screen may still show this. The buttons are live: press one and see how the app treats a stale click."),
    el("div", { class: "stale" }, content(answer.message, screen)),
  ], []);
}
