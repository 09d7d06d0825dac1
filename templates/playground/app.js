// The page: what is looked at, and by whom. State comes whole from the stand-in; nothing is remembered here but focus.

import { avatar, byId, el, toast } from "./dom.js";
import { composer } from "./composer.js";
import { directory } from "./directory.js";
import { closeDrawers, draw, startDrawers } from "./drawers.js";
import { leave } from "./follow.js";
import { channelItems, showMessages, showOlder, threadItems } from "./messages.js";
import { showSimulate, showTraffic, showWire, withoutTraffic } from "./side.js";
import { seen, startTour } from "./tour.js";
import { home, runShortcut, showViews } from "./views.js";
import * as wire from "./wire.js";

const look = { viewer: sessionStorage.getItem("viewer") || "", channel: "", thread: null, tab: "messages", read: {} };
let hello = null;
let state = null;

const main = composer({ label: "Message", placeholder: "Message", commands: () => hello?.commands || [], target: () => ({ channel: look.channel }) });
const reply = composer({
  label: "Reply", placeholder: "Reply…", commands: () => [], target: () => ({ channel: look.channel, thread_ts: look.thread || "thread" }),
});
byId("composer").append(main.node);
byId("thread-composer").append(reply.node);

function become(id) {
  look.viewer = id;
  look.thread = null;
  sessionStorage.setItem("viewer", id);
  paint();
  refreshLook();
}

function go(channel, tab = "messages") {
  look.channel = channel;
  look.thread = null;
  look.tab = tab;
  closeDrawers();
  refreshLook();
  if (tab === "home") wire.ask("home", { tab: "home" });
}

const refreshLook = () => wire.ask("look", { viewer: look.viewer, channel: look.channel });

function openThread(ts) {
  look.thread = ts;
  paint();
  reply.focus();
}

function showWho() {
  if (byId("who").dataset.shown === state.viewer) return;
  byId("who").dataset.shown = state.viewer;
  const me = directory.person(state.viewer);
  const select = byId("viewer");
  const choices = directory.people().filter((person) => !person.bot);
  if (select.options.length !== choices.length) {
    select.replaceChildren(...choices.map((person) => el("option", { value: person.id }, `${person.real_name} (${person.role})`)));
    select.onchange = () => become(select.value);
  }
  select.value = state.viewer;
  byId("who-avatar").replaceWith(Object.assign(avatar(me), { id: "who-avatar" }));
  byId("faces").replaceChildren(...choices.filter((person) => person.id !== state.viewer).map((person) =>
    el("button", { type: "button", class: "face", title: `Be ${person.real_name}, ${person.role}`, "aria-label": `Switch to ${person.real_name}`, onclick: () => become(person.id) }, avatar(person, "medium"))));
}

// Redrawn only when something in it changed, so that focus and hover stay where they are.
function sidebar() {
  const signature = JSON.stringify([state.viewer, state.channel, state.channels, look.read]);
  if (byId("sidebar").shownAs === signature) return;
  byId("sidebar").shownAs = signature;
  const im = state.channels.find((channel) => channel.im);
  const row = (channel, mark, name, tab = "messages") => {
    const here = channel.id === state.channel;
    const unread = !here && Number(channel.latest) > Number(look.read[`${state.viewer} ${channel.id}`] || 0);
    return el("a", {
      href: `#${channel.id}`, class: `row ${here ? "here" : ""} ${unread ? "unread" : ""}`, "aria-current": here ? "page" : undefined,
      onclick: (event) => {
        event.preventDefault();
        go(channel.id, tab);
      },
    }, el("span", { class: typeof mark === "string" ? "mark" : "mark face-mark" }, mark), el("span", { class: "row-name" }, name), channel.shared && el("span", { class: "ext", title: "Shared with another company" }, "EXT"));
  };
  byId("sidebar").replaceChildren(...[
    el("div", { class: "team" }, el("b", {}, hello.team), el("span", {}, "a workspace of your own")),
    el("div", { class: "group" }, "Channels"),
    state.channels.filter((channel) => !channel.im).map((channel) => row(channel, "#", channel.name)),
    im && [el("div", { class: "group" }, "Apps"),
      row(im, avatar(directory.person(hello.app.bot), "tiny"), hello.app.name, hello.app.home ? "home" : "messages")],
    hello.shortcuts.length > 0 && [el("div", { class: "group" }, "Shortcuts"), hello.shortcuts.map((shortcut) =>
      el("button", { type: "button", class: "row", onclick: () => runShortcut(shortcut.callback_id, state.channel) }, el("span", { class: "mark" }, "⚡"), shortcut.name))],
    el("div", { class: "group" }, "People"),
    directory.people().filter((person) => !person.bot).map((person) =>
      el("div", { class: "row person" }, avatar(person, "tiny"), person.real_name, el("small", {}, person.id === state.viewer ? "you" : person.role))),
  ].flat(2).filter(Boolean));
}

function paneHead(channel) {
  const tabs = channel.im && el("div", { class: "tabs", role: "tablist" }, ["home", "messages"].map((tab) =>
    el("button", { type: "button", role: "tab", "aria-selected": String(look.tab === tab), onclick: () => go(channel.id, tab) }, tab === "home" ? "Home" : "Messages")));
  byId("pane-head").replaceChildren(
    channel.im ? avatar(directory.person(hello.app.bot), "medium") : el("span", { class: "hash" }, "#"),
    el("h1", {}, channel.im ? hello.app.name : channel.name), tabs || el("span", { class: "topic" }, channel.topic),
    el("span", { class: "members" }, channel.im ? "" : `${channel.members} members${channel.bot ? "" : ` · ${hello.app.name} is not here`}`));
}

function welcome(channel) {
  const place = channel.im ? hello.app.name : `#${channel.name}`;
  const first = hello.commands[0]?.command || "/help";
  return el("div", { class: "welcome" }, el("div", { class: "welcome-mark" }, channel.im ? avatar(directory.person(hello.app.bot)) : "#"),
    el("h2", {}, `This is the very beginning of ${place}`),
    channel.bot
      ? el("p", {}, `${hello.app.name} listens here. Type `, el("code", {}, `${first} help`), " to see what it can do, or follow the tour on the right.")
      : el("p", {}, `${hello.app.name} is not a member of this channel: it can take a command here, but it cannot post.`));
}

function paint() {
  if (!hello || !state) return;
  const channel = state.channels.find((one) => one.id === state.channel);
  showWho();
  sidebar();
  paneHead(channel);
  const atHome = channel.im && look.tab === "home";
  byId("composer").hidden = atHome;
  const stream = byId("stream");
  if (atHome) {
    const signature = JSON.stringify([state.viewer, state.home]);
    if (stream.shownHome !== signature) stream.replaceChildren(home(state.home));
    stream.shownHome = signature;
    leave(stream);
  } else {
    stream.shownHome = "";
    showMessages(stream, channelItems(state), { openThread, welcome: welcome(channel), place: `${state.viewer} ${state.channel}` });
  }
  byId("composer").querySelector("textarea").placeholder = `Message ${channel.im ? hello.app.name : `#${channel.name}`} as ${directory.person(state.viewer).real_name}`;
  byId("thread").hidden = !look.thread;
  byId("frame").classList.toggle("with-thread", Boolean(look.thread));
  if (look.thread) showMessages(byId("thread-stream"), threadItems(state, look.thread), { openThread, place: `${state.viewer} ${look.thread}` });
  showViews(state.views);
}

function staleClick() {
  const newest = [...(state?.messages || [])].reverse().find((message) => message.older);
  if (newest) showOlder(newest);
  else toast("No message here has an older version with buttons yet: ask for something and approve it first.");
}

wire.on("hello", (told) => {
  hello = told;
  directory.learn(told);
  setTimeout(() => byId("traffic").firstChild || withoutTraffic(), 1500);
  paint();
});
wire.on("state", (told) => {
  state = told;
  look.viewer = told.viewer;
  look.channel = told.channel;
  directory.viewer = told.viewer;
  directory.learnChannels(told.channels);
  look.read[`${told.viewer} ${told.channel}`] = told.channels.find((one) => one.id === told.channel)?.latest;
  seen(told.messages);
  paint();
});
wire.on("wire", showWire);
wire.on("side", showTraffic);
wire.on("gone", () => {
  byId("connection").className = "pill down";
  byId("connection").replaceChildren(el("i"), "playground stopped");
});
wire.onOpen(() => (look.viewer || look.channel) && refreshLook());

byId("thread-close").addEventListener("click", () => {
  look.thread = null;
  paint();
});
showSimulate(staleClick);
startDrawers();
startTour({
  put(text) {
    closeDrawers();
    const ann = directory.people().find((person) => person.name === "ann");
    if (ann && state.viewer !== ann.id) become(ann.id);
    if (state.channels.find((one) => one.id === state.channel)?.im) go(state.channels.find((one) => one.bot && !one.im).id);
    main.put(text);
  },
  become(name) {
    closeDrawers();
    become(directory.people().find((person) => person.name === name)?.id || look.viewer);
  },
  reveal(id) {
    draw("panel", true);
    byId(id).scrollIntoView({ behavior: "smooth", block: "nearest" });
    byId(id).classList.add("flash");
    setTimeout(() => byId(id).classList.remove("flash"), 1600);
  },
});
wire.connect();
