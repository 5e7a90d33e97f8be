// SPDX-License-Identifier: MIT
// Makes unions of the enums in the types below a directory, so that the plain strings of JSON are of them.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";

const directory = process.argv[2];
const files = readdirSync(directory, { recursive: true }).filter((file) => file.endsWith(".d.ts"));
const texts = new Map(files.map((file) => [file, readFileSync(`${directory}/${file}`, "utf8")]));
for (const [file, text] of texts) {
  const values = new Map();
  const unions = text.replace(/export declare enum (\w+) \{([^}]*)\}/g, (_, name, body) => {
    const members = [...body.matchAll(/(\w+) = ("[^"]*"|-?\d+)/g)];
    for (const [, member, value] of members) values.set(`${name}.${member}`, value);
    return `export type ${name} = ${members.map(([, , value]) => value).join(" | ")};`;
  });
  const plain = unions.replace(/\b\w+\.\w+\b/g, (word) => values.get(word) ?? word);
  if (plain !== text) writeFileSync(`${directory}/${file}`, plain);
}
