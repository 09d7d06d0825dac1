// Who and what the ids stand for, and as whom we look.

const people = new Map();
const groups = new Map();
const channels = new Map();

export const directory = {
  viewer: "",
  app: { name: "Ferry", bot: "" },
  learn(hello) {
    people.clear();
    hello.people.forEach((person, place) => people.set(person.id, { ...person, place }));
    hello.groups.forEach((group) => groups.set(group.id, group));
    this.app = hello.app;
  },
  learnChannels(list) {
    list.forEach((channel) => channels.set(channel.id, channel));
  },
  person(id) {
    if (id === "USLACKBOT") return { id, name: "slackbot", real_name: "Slackbot" };
    return people.get(id);
  },
  group: (id) => groups.get(id),
  channel: (id) => channels.get(id),
  people: () => [...people.values()],
};
