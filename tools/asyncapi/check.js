// Reads an AsyncAPI document with the official parser and fails on what it
// calls an error or a warning: node check.js DOCUMENT
import { readFile } from 'node:fs/promises';
import { Parser } from '@asyncapi/parser';

const WARNING = 1;
const [file] = process.argv.slice(2);
const { document, diagnostics } = await new Parser().parse(await readFile(file, 'utf8'));
const findings = diagnostics.filter((d) => d.severity <= WARNING);
for (const d of findings) {
  console.error(`${file}: ${d.path.join('.')}: ${d.message} (${d.code})`);
}
if (!document || findings.length > 0) {
  process.exit(3);
}
console.log(`${file}: ${document.allChannels().length} channels, ${document.allMessages().length} messages`);
