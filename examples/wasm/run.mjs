// Runs the module under node: prints the program's text on stdout and, on
// stderr, the module's size and how long an image takes.
//
//     node run.mjs MODULE.wasm

import { readFileSync } from "node:fs";
import { argv, exit, stderr, stdout } from "node:process";

const DATA = 11;
const FEATURES = 784;

// The bytes of a module's sections of one kind.
function sectionBytes(module, kind) {
  let at = 8;
  let total = 0;
  while (at < module.length) {
    const found = module[at++];
    let size = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = module[at++];
      size |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    if (found === kind) total += size;
    at += size;
  }
  return total;
}

const module = readFileSync(argv[2]);
const { instance } = await WebAssembly.instantiate(module);
const { memory, image, classify, report, text } = instance.exports;

const length = report();
if (length === 0) {
  stderr.write("error: no room for the text\n");
  exit(1);
}
stdout.write(new TextDecoder().decode(new Uint8Array(memory.buffer, text(), length)));

// The images again, one at a time, as a page would hand them in.
const generated = new URL("../embedded/generated/", import.meta.url);
const images = readFileSync(new URL("images.bin", generated));
const labels = readFileSync(new URL("labels.bin", generated));
const to = new Uint8Array(memory.buffer, image(), FEATURES);
let correct = 0;
const start = performance.now();
for (let i = 0; i < labels.length; i++) {
  to.set(images.subarray(i * FEATURES, (i + 1) * FEATURES));
  correct += Number(classify() === labels[i]);
}
const each = ((performance.now() - start) * 1000) / labels.length;
const data = sectionBytes(module, DATA);
stderr.write(
  `# ${module.length} bytes, of them ${data} of weights and images; ` +
    `${correct} of ${labels.length} correct, ${each.toFixed(0)} µs an image\n`,
);
exit(correct * 10 > labels.length * 9 && module.length - data <= 100_000 ? 0 : 1);
