// Names from the wire are data on the page too: nothing runs, nothing is hidden.

import assert from "node:assert/strict";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { launchBrowser, startEgret } from "./egret.mjs";

const NAMES = [
  "<img src=x onerror=window.pwned=1>.example",
  "<script>window.pwned=1</script>.example",
  "gpj.\u202eexe.example",
];

/** An Envoy log in which every executor uploads 8 MiB to a hostile name. */
function log() {
  return NAMES.map((name, number) =>
    JSON.stringify({
      start_time: `2026-01-05T09:00:0${number}.000Z`,
      method: "POST",
      path: `/${name}`,
      authority: name,
      protocol: "HTTP/1.1",
      response_code: 200,
      response_flags: "-",
      bytes_received: 8 << 20,
      bytes_sent: 100,
      duration: 50,
      user_agent: name,
      upstream_host: "203.0.113.5:443",
      downstream_remote_address: `10.20.0.${number + 1}:41000`,
    }),
  ).join("\n") + "\n";
}

async function startOnHostileLog() {
  const folder = await mkdtemp(join(tmpdir(), "egret-hostile-"));
  await writeFile(join(folder, "envoy.jsonl"), log());
  await writeFile(
    join(folder, "egret.toml"),
    `[[collector.segments]]\nname = "a"\nranges = ["10.20.0.0/16"]\n` +
      `[[collector.sources]]\nkind = "log"\npath = "${folder}/envoy.jsonl"\nfollow = false\n` +
      `[store]\npath = "${folder}/egret.db"\n[api]\nlisten = "127.0.0.1:0"\n`,
  );
  return startEgret(["run", "--config", join(folder, "egret.toml")], folder);
}

test("hostile names are shown, and nothing in them runs", async () => {
  const egret = await startOnHostileLog();
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
