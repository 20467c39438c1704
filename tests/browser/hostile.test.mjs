// Names from the wire are data on the page too: nothing runs, nothing is hidden.

import assert from "node:assert/strict";
import { test } from "node:test";

import { launchBrowser, startOnLog, uploadLine } from "./egret.mjs";

const NAMES = [
  "<img src=x onerror=window.pwned=1>.example",
  "<script>window.pwned=1</script>.example",
  "gpj.\u202eexe.example",
];

/** An Envoy log in which every executor uploads 8 MiB to a hostile name. */
function log() {
  return NAMES.map((name, number) =>
    uploadLine(number, {
      start_time: `2026-01-05T09:00:0${number}.000Z`,
      path: `/${name}`,
      authority: name,
      user_agent: name,
    }),
  ).join("\n") + "\n";
}

test("hostile names are shown, and nothing in them runs", async () => {
  const egret = await startOnLog("hostile", log());
  const browser = await launchBrowser();
  try {
    const page = await browser.newPage();
    const dialogs = [];
    page.on("dialog", (dialog) => dialogs.push(dialog.message()));
    await page.goto(`${egret.address}incidents`);
    const links = page.getByRole("row").getByRole("link");
    await links.first().waitFor();
    const addresses = await links.evaluateAll((found) =>
      found.map((link) => link.href).filter((href) => /\/incidents\/[0-9a-f]{32}/.test(href)),
    );
    assert.equal(new Set(addresses).size, NAMES.length, "one incident for each name");
    for (const address of new Set(addresses)) {
      await page.goto(address);
      await page.getByRole("heading", { name: /why/i }).waitFor();
      const text = await page.getByRole("main").innerText();
      assert.ok(!/[\u202a-\u202e\u2066-\u2069]/.test(text), "direction marks are made visible");
    }
    assert.equal(await page.evaluate(() => window.pwned), undefined);
    assert.equal(await page.locator("main img, main script").count(), 0);
    assert.deepEqual(dialogs, []);
  } finally {
    await browser.close();
    await egret.end();
  }
});
