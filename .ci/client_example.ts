// What a user of the generated types writes: each kind of message by its `type`.
import type { components, operations } from "./client.js";

type Message = components["schemas"]["Message"];

const messages: Message[] = [
  { type: "text", to: "6281234567890", text: "hello" },
  { type: "poll", to: "6281234567890", name: "Lunch?", options: ["Noodles", "Rice"] },
  { type: "location", to: "6281234567890", latitude: -6.2, longitude: 106.8 },
  { type: "contact", to: "6281234567890", contact: { name: "Ann", phone: "6281234567891" } },
];

export function said(message: Message): string {
  switch (message.type) {
    case "text":
      return message.text;
    case "poll":
      return message.options.join(", ");
    default:
      return message.type;
  }
}

export type Sent = operations["sendMessage"]["responses"][200]["content"]["application/json"];
export const first = (sent: Sent): string => sent.waMessageId + said(messages[0]!);
