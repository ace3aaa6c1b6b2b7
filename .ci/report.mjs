// Opens pages in Chromium and checks them: no error on the console, no request to a network, no
// element wider than the page, no violation that axe-core finds, and the accuracy that
// `handwritten evaluate` prints.
//
//     node .ci/report.mjs MODULES CHROMIUM PAGE [ACCURACY] [--pictures FOLDER]
//
// MODULES is a folder with playwright-core and axe-core, CHROMIUM the browser. With a folder for
// pictures it leaves a screenshot of each width and theme there, and the printed page.
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

const [modules, chromium, page, ...rest] = process.argv.slice(2);
const at = rest.indexOf("--pictures");
const pictures = at < 0 ? null : rest[at + 1];
const accuracy = at === 0 ? undefined : rest[0];
const require = createRequire(path.resolve(modules, "package.json"));
const { chromium: engine } = require("playwright-core");
const axe = require.resolve("axe-core/axe.min.js");

const url = pathToFileURL(path.resolve(page)).href;
const failures = [];
const expect = (holds, what) => holds || failures.push(what);

// As root, as in a container, the sandbox of Chromium does not start.
const browser = await engine.launch({ executablePath: chromium, args: ["--no-sandbox"] });
for (const width of [390, 820, 1440]) {
  for (const colorScheme of ["light", "dark"]) {
    const where = `${path.basename(page)} at ${width} px, ${colorScheme}`;
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme });
    const tab = await context.newPage();
    tab.on("console", (message) => expect(message.type() !== "error", `${where}: ${message.text()}`));
    tab.on("pageerror", (error) => expect(false, `${where}: ${error}`));
    tab.on("request", (request) => {
      const address = request.url();
      expect(address === url || address.startsWith("data:"), `${where} asks for ${address.slice(0, 80)}`);
    });
    const began = Date.now();
    await tab.goto(url, { waitUntil: "load" });
    const seconds = (Date.now() - began) / 1000;
    // What scrolls within itself may be wider.
    const wide = await tab.evaluate(() => {
      const most = document.documentElement.clientWidth;
      const inside = (element) => element.parentElement?.closest(".scroll");
      return [...document.body.querySelectorAll("*")]
        .filter((element) => !inside(element) && element.getBoundingClientRect().right > most + 0.5)
        .map((element) => `${element.tagName} ${element.className.baseVal ?? element.className}`);
    });
    expect(wide.length === 0, `${where}: wider than the page: ${wide.slice(0, 5).join(", ")}`);
    const shown = await tab.evaluate(() => document.getElementById("accuracy")?.dataset.accuracy);
    if (accuracy) expect(Number(shown) === Number(accuracy), `${where}: accuracy ${shown}, not ${accuracy}`);
    // Colours depend on the theme, and structure on neither: one width is enough for seconds of work.
    if (width === 390) {
      await tab.addScriptTag({ path: axe });
      const { violations } = await tab.evaluate(() => globalThis.axe.run());
      for (const { id, nodes } of violations) {
        expect(false, `${where}: ${id}: ${nodes.slice(0, 3).map((node) => node.html.slice(0, 120)).join(" ")}`);
      }
    }
    const picture = tab.locator(".pictures button").first();
    if (await picture.count()) {
      await picture.click();
      expect(await tab.locator("dialog[open] img").isVisible(), `${where}: the picture is not enlarged`);
      await tab.keyboard.press("Escape");
    }
    console.log(`${where}: loaded in ${seconds.toFixed(2)} s`);
    if (pictures) {
      const name = path.join(pictures, `${path.basename(page, ".html")}-${width}-${colorScheme}.png`);
      await tab.screenshot({ path: name, fullPage: true });
      if (width === 1440 && colorScheme === "light") await tab.pdf({ path: name.replace(/-1440.*/, ".pdf"), format: "A4" });
    }
    await context.close();
  }
}
await browser.close();
failures.forEach((failure) => console.error(failure));
process.exit(failures.length > 0 ? 1 : 0);
